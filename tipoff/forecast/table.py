"""Matches as arrays: names become indices once, outside every loop."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.match import Fixture, Match, MatchStatus

F = TypeVar("F", bound=Fixture)

UNKNOWN = -1
"""the league did not say"""
NEW = -2
"""a name that nothing is known of yet"""
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def minutes(moment: dt.datetime) -> int:
    """Whole minutes since 1970 in UTC, rounded down."""
    return (moment - EPOCH) // dt.timedelta(minutes=1)


def moment(minute: int) -> dt.datetime:
    """The inverse of `minutes`."""
    return EPOCH + dt.timedelta(minutes=int(minute))


@dataclasses.dataclass(frozen=True, slots=True)
class LookedUp:
    """Indices of a fixture's names: UNKNOWN where nothing was said, NEW where a name was never heard."""

    players: tuple[int, int]
    teams: tuple[int, int]
    stream: int
    pair: int


@dataclasses.dataclass(slots=True)
class Roster:
    """Names in order of first appearance; the position of a name is its index for ever."""

    players: dict[str, int] = dataclasses.field(default_factory=dict)
    teams: dict[str, int] = dataclasses.field(default_factory=dict)
    streams: dict[str, int] = dataclasses.field(default_factory=dict)
    pairs: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)

    def look_up(self, fixture: Fixture) -> LookedUp:
        """Indices of a fixture's names; this roster stays as it is."""
        a, b = (self.players.get(name, NEW) for name in (fixture.player_a, fixture.player_b))
        teams = [UNKNOWN if name is None else self.teams.get(name, NEW) for name in (fixture.team_a, fixture.team_b)]
        stream = UNKNOWN if fixture.stream is None else self.streams.get(fixture.stream, NEW)
        return LookedUp((a, b), (teams[0], teams[1]), stream, self.pairs.get((min(a, b), max(a, b)), NEW))

    def row(self, fixture: Fixture) -> tuple[int, int, int, int, int, int]:
        """Indices (player A, player B, team A, team B, stream, pair); UNKNOWN where nothing was said."""
        a = self.players.setdefault(fixture.player_a, len(self.players))
        b = self.players.setdefault(fixture.player_b, len(self.players))
        pair = self.pairs.setdefault((a, b) if a < b else (b, a), len(self.pairs))
        return (
            a,
            b,
            _index(self.teams, fixture.team_a),
            _index(self.teams, fixture.team_b),
            _index(self.streams, fixture.stream),
            pair,
        )


def _index(names: dict[str, int], name: str | None) -> int:
    return UNKNOWN if name is None else names.setdefault(name, len(names))


@dataclasses.dataclass(frozen=True, slots=True)
class MatchTable:
    """Matches in order of (start, external id) as arrays of length n.

    `start` is in minutes since 1970 (UTC), scores in points (0 for fixtures, whose scores mean nothing),
    indices refer to `roster`.
    """

    roster: Roster
    ids: list[str]
    start: NDArray[np.int64]
    index: NDArray[np.int64]
    """shape (n, 6): player A, player B, team A, team B, stream, pair"""
    score_a: NDArray[np.float64]
    score_b: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def observed(self) -> NDArray[np.float64]:
        """Shape (2, n): margin and total in points."""
        return np.stack([self.score_a - self.score_b, self.score_a + self.score_b])

    def head(self, n: int) -> MatchTable:
        """The first n matches, with the same roster."""
        return self.slice(0, n)

    def slice(self, begin: int, end: int) -> MatchTable:
        """Matches begin to end (exclusive), with the same roster."""
        part = slice(begin, end)
        return MatchTable(
            self.roster,
            self.ids[part],
            self.start[part],
            self.index[part],
            self.score_a[part],
            self.score_b[part],
        )

    def where(self, mask: NDArray[np.bool_]) -> MatchTable:
        """The matches that `mask` (shape (n,)) marks, with the same roster."""
        ids = [match_id for match_id, there in zip(self.ids, mask, strict=True) if there]
        return MatchTable(
            self.roster, ids, self.start[mask], np.ascontiguousarray(self.index[mask]), self.score_a[mask],
            self.score_b[mask],
        )  # fmt: skip


def in_order(matches: Iterable[F]) -> list[F]:
    """Sorted by (start, external id), the order in which everything is learned."""
    return sorted(matches, key=lambda match: (match.start, match.external_id))


def build_table(fixtures: Sequence[Fixture], roster: Roster | None = None) -> MatchTable:
    """Arrays for `fixtures`, sorted; final matches carry scores. `roster` is extended in place.

    Matches that are void or cancelled are never learned from or graded: they are left out.
    """
    roster = Roster() if roster is None else roster
    rows = in_order(f for f in fixtures if not isinstance(f, Match) or f.status is MatchStatus.FINAL)
    scores = np.array(
        [(r.score_a, r.score_b) if isinstance(r, Match) else (0, 0) for r in rows], dtype=np.float64
    ).reshape(len(rows), 2)
    return MatchTable(
        roster=roster,
        ids=[row.external_id for row in rows],
        start=np.array([minutes(row.start) for row in rows], dtype=np.int64),
        index=np.array([roster.row(row) for row in rows], dtype=np.int64).reshape(len(rows), 6),
        score_a=np.ascontiguousarray(scores[:, 0]),
        score_b=np.ascontiguousarray(scores[:, 1]),
    )
