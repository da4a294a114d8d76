"""What the server knows of a match: when it was published, how it ended, when that shows."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class Correction:
    """A result that is changed after the end."""

    at: dt.datetime
    score_a: int
    score_b: int


@dataclasses.dataclass(frozen=True, slots=True)
class BookedMatch:
    """A match with everything that will ever be known of it; times are UTC, scores points.

    `p_true` is the true P(side A wins) where the league is simulated. A withdrawn match is never played.
    """

    external_id: str
    start: dt.datetime
    player_a: str
    player_b: str
    team_a: str | None
    team_b: str | None
    stream: str | None
    published_at: dt.datetime
    ended_at: dt.datetime
    status: str
    score_a: int
    score_b: int
    p_true: float | None = None
    withdrawn_at: dt.datetime | None = None
    correction: Correction | None = None


class MatchBook(Protocol):
    """All matches of a league, past and to come."""

    def matches(self, begin: dt.datetime, end: dt.datetime) -> list[BookedMatch]:
        """Matches that start in [begin, end), by start."""
        ...

    def players(self) -> list[str]:
        """Every handle, sorted."""
        ...
