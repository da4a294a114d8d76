"""Matches and fixtures of the league, as every other room of Tipoff speaks of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum

KNOWABLE_AFTER = dt.timedelta(minutes=30)
"""A result is public about half an hour after the scheduled start (PROTOCOL: 24-32 min)."""


class MatchStatus(enum.StrEnum):
    """What became of a match that is over."""

    FINAL = "final"
    VOID = "void"
    CANCELLED = "cancelled"


@dataclasses.dataclass(frozen=True, slots=True)
class Fixture:
    """A match not yet played.

    `start` is timezone-aware UTC. Teams and stream are None where the league did not say.
    """

    external_id: str
    start: dt.datetime
    player_a: str
    player_b: str
    team_a: str | None
    team_b: str | None
    stream: str | None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"{self.external_id}: start needs a time zone")
        if self.player_a == self.player_b:
            raise ValueError(f"{self.external_id}: {self.player_a} cannot play against themself")


@dataclasses.dataclass(frozen=True, slots=True)
class Match(Fixture):
    """A match that is over; only a final one has a result that counts.

    Scores are points, None where the league gave none. A final match has a winner: the rule 0-0 and ties
    are void is applied where payloads are read and enforced here.
    """

    status: MatchStatus
    score_a: int | None
    score_b: int | None

    def __post_init__(self) -> None:
        super(Match, self).__post_init__()
        if self.status is MatchStatus.FINAL and (
            self.score_a is None or self.score_b is None or self.score_a == self.score_b
        ):
            raise ValueError(f"{self.external_id}: a final match has two scores that differ")

    @property
    def knowable_at(self) -> dt.datetime:
        """The moment from which the result may be used, unless it was observed earlier."""
        return self.start + KNOWABLE_AFTER
