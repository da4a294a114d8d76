"""What the API says of teams."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.api.matches.schemas import MATCH, MatchRow

TEAM: dict[str, Any] = {
    "team": "Boston Celtics", "matches": 970, "wins": 530, "win_share": 0.546, "win_low": 0.515, "win_high": 0.577,
    "mean_margin": 1.4, "mean_total": 109.8, "strength": 0.9, "strength_sd": 0.6, "strength_low": 0.1,
    "strength_high": 1.7, "updated_at": "2026-11-25T06:31:00Z",
}  # fmt: skip
MEMBER: dict[str, Any] = {
    "player": "ANNA", "matches": 97, "wins": 60, "win_share": 0.619, "win_low": 0.519, "win_high": 0.709,
    "mean_margin": 4.2, "mean_total": 110.3,
}  # fmt: skip


class Team(BaseModel):
    """A team's final matches, whoever played, and what the filter says the team itself is worth."""

    team: str
    matches: int
    wins: int
    win_share: float
    win_low: float = Field(description="95 % interval (Wilson).")
    win_high: float
    mean_margin: float
    mean_total: float
    strength: float | None = Field(description="Points of margin against the mean team, whoever plays.")
    strength_sd: float | None
    strength_low: float | None = Field(description="80 % interval.")
    strength_high: float | None
    updated_at: dt.datetime


class TeamPage(BaseModel):
    """Teams."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [TEAM], "next_cursor": None}]})

    items: list[Team]
    next_cursor: str | None


class Member(BaseModel):
    """A player's final matches with the team; the share of wins with its 95 % interval (Wilson)."""

    player: str
    matches: int
    wins: int
    win_share: float
    win_low: float
    win_high: float
    mean_margin: float
    mean_total: float


class TeamDetail(BaseModel):
    """One team whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "team": "Boston Celtics", "record": TEAM, "by_player": [MEMBER], "last": [MATCH], "next": []}]})  # fmt: skip

    team: str
    record: Team | None = Field(description="Null before the first result.")
    by_player: list[Member] = Field(description="Up to 50, who played most often with it first.")
    last: list[MatchRow] = Field(description="The last 20 matches, newest first.")
    next: list[MatchRow] = Field(description="Fixtures that have not begun, soonest first.")
