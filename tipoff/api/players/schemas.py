"""What the API says of players."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.api.matches.schemas import FORECAST, MATCH, Forecast, MatchRow

CAREER: dict[str, Any] = {
    "player": "ANNA", "matches": 412, "wins": 231, "win_share": 0.561, "win_low": 0.513, "win_high": 0.608,
    "points_for": 23012, "points_against": 22480, "first_match_at": "2026-09-01T05:03:00Z",
    "last_match_at": "2026-11-25T06:03:00Z", "strength": 3.1, "strength_sd": 1.2, "strength_low": 1.6,
    "strength_high": 4.6, "updated_at": "2026-11-25T06:31:00Z",
}  # fmt: skip
TEAM: dict[str, Any] = {
    "team": "Boston Celtics", "matches": 97, "wins": 60, "win_share": 0.619, "win_low": 0.519, "win_high": 0.709,
    "mean_margin": 4.2, "mean_total": 110.3,
}  # fmt: skip
OPPONENT: dict[str, Any] = {
    "opponent": "BEN", "matches": 21, "wins": 13, "win_share": 0.619, "win_low": 0.409, "win_high": 0.792,
    "mean_margin": 2.4,
}  # fmt: skip


class Career(BaseModel):
    """A player's final matches, and the strength the filter gives: points of margin against the mean player."""

    player: str
    matches: int
    wins: int
    win_share: float
    win_low: float = Field(description="95 % interval (Wilson).")
    win_high: float
    points_for: int
    points_against: int
    first_match_at: dt.datetime
    last_match_at: dt.datetime
    strength: float | None
    strength_sd: float | None
    strength_low: float | None = Field(description="80 % interval.")
    strength_high: float | None
    updated_at: dt.datetime


class CareerPage(BaseModel):
    """Careers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [CAREER], "next_cursor": None}]})

    items: list[Career]
    next_cursor: str | None


class TeamRecord(BaseModel):
    """Final matches with a team; the share of wins with its 95 % interval (Wilson)."""

    team: str | None
    matches: int
    wins: int
    win_share: float
    win_low: float
    win_high: float
    mean_margin: float
    mean_total: float


class OpponentRecord(BaseModel):
    """Final matches against one opponent; the share of wins with its 95 % interval (Wilson)."""

    opponent: str
    matches: int
    wins: int
    win_share: float
    win_low: float
    win_high: float
    mean_margin: float


class Rating(BaseModel):
    """A strength that a sealed forecast used."""

    at: dt.datetime
    model: str
    matches: int
    strength: float
    strength_sd: float


class PlayerDetail(BaseModel):
    """One player whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "player": "ANNA", "career": CAREER, "form": [MATCH], "by_team": [TEAM],
        "by_opponent": [OPPONENT], "next": [],
        "history": [{"at": "2026-11-25T05:33:02Z", "model": "0a" * 32, "matches": 411, "strength": 3.0,
                     "strength_sd": 1.2}]}]})  # fmt: skip

    player: str
    career: Career | None = Field(description="Null before the first result.")
    form: list[MatchRow] = Field(description="The last 10 matches, newest first.")
    by_team: list[TeamRecord]
    by_opponent: list[OpponentRecord] = Field(description="Up to 50, most met first.")
    next: list[MatchRow] = Field(description="Fixtures that have not begun, soonest first.")
    history: list[Rating] = Field(description="The last 500 strengths that sealed forecasts used, oldest first.")


class HeadToHead(BaseModel):
    """Two players against each other, and how much of that is more than their strengths say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "player_a": "ANNA", "player_b": "BEN", "matches": 21, "wins_a": 13, "win_share": 0.619, "win_low": 0.409,
        "win_high": 0.792, "mean_margin": 2.4, "last": [MATCH], "pair_effect": 0.4, "pair_effect_sd": 1.0,
        "forecast": FORECAST, "cautions": [], "as_of": "2026-11-25T05:31:00Z"}]})  # fmt: skip

    player_a: str
    player_b: str
    matches: int
    wins_a: int
    win_share: float | None
    win_low: float | None = Field(description="95 % interval (Wilson) of the share that A won.")
    win_high: float | None
    mean_margin: float | None = Field(description="A less B, points a match.")
    last: list[MatchRow] = Field(description="Up to 20, newest first.")
    pair_effect: float | None = Field(description="Points A does better against B than their strengths say.")
    pair_effect_sd: float | None
    forecast: Forecast | None = Field(description="A match now, teams not known.")
    cautions: list[str]
    as_of: dt.datetime | None
