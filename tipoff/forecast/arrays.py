"""The filters' state as plain arrays, in the layout that the compiled loops work on."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tipoff.forecast.columns import REGRESSORS

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

NEVER = -1
WAITING = 8
"""rank-one updates that are gathered before they go through the covariance in one pass"""

N_USED, N_SLOTS, N_MATCHES, LAST_BASE, FIRST, WAITS = range(6)
"""counters; from WAITS on how many updates wait in the margin's and in the total's filter"""
POS, LAST, PLAYED, SESSION, IN_SESSION, SLOT, LINKED = range(7)
"""columns of players, the first two also of teams"""
SLOT_POS, SLOT_PLAYER = range(2)
PT_MEAN, PT_VAR, PTS_MEAN, PTS_VAR = range(4)
PT_LAST, PTS_SESSION = range(2)
MEAN, VAR = range(2)


class Arrays(NamedTuple):
    """Both Gaussian filters at once; leading axis 2 is margin, total. P players, T teams, S slots, N dense states.

    Dense states are the base (position 0), the regressors where the model has them (1 to 5) and then, in order of
    need, players, teams and session slots; POS and SLOT_POS say where each lives. Times are minutes since 1970,
    NEVER before the first match. The covariance is C less the waiting updates: u u' / var for each of them.
    Few arrays with columns rather than many: every compiled function takes them all.
    """

    x: F64
    """(2, N) means"""
    C: F64
    """(2, N, N) upper triangle; only the first `counters[N_USED]` rows and columns are in use"""
    waiting_u: F64
    """(2, WAITING, N)"""
    waiting_var: F64
    """(2, WAITING)"""
    counters: I64
    """(7,) states in use, session slots, matches learned, times of the last and of the first match, what waits"""
    players: I64
    """(P, 7) position, last match, matches learned; number of the current session, matches learned of it, its slot;
    the first opponent of a later newcomer"""
    log_scale: F64
    """(2, P) what each player adds to the logarithm of the variance"""
    slots: I64
    """(S, 2) position, player"""
    teams: I64
    """(T, 2) position, last match"""
    grid: F64
    """(2, P, T, 4) mean and variance of player x team, and of player x team x session"""
    grid_seen: I64
    """(P, T, 2) last match of the two, session of their last match"""
    pairs: F64
    """(2, pairs, 2) mean and variance; for the margin seen from the player with the lower index"""
    pair_last: I64
    streams: F64
    """(2, streams, 2) mean and variance"""
    stream_last: I64


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """For how many names there is room."""

    players: int
    teams: int
    pairs: int
    streams: int
    slots: int

    @property
    def states(self) -> int:
        """Dense states: whole cache lines a row."""
        return -(-(1 + REGRESSORS + self.players + self.teams + self.slots) // 8) * 8

    def at_least(self, other: Size) -> Size:
        """Room for whatever either has room for."""
        return Size(*(max(pair) for pair in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))


def size_of(made: Arrays) -> Size:
    """For how many names `made` has room."""
    return Size(len(made.players), len(made.teams), len(made.pair_last), len(made.stream_last), len(made.slots))


def _shapes(size: Size) -> dict[str, tuple[int, ...]]:
    n, grid = size.states, (size.players, size.teams)
    return {
        "x": (2, n), "C": (2, n, n), "waiting_u": (2, WAITING, n), "waiting_var": (2, WAITING), "counters": (7,),
        "players": (size.players, 7), "log_scale": (2, size.players), "slots": (size.slots, 2),
        "teams": (size.teams, 2), "grid": (2, *grid, 4), "grid_seen": (*grid, 2), "pairs": (2, size.pairs, 2),
        "pair_last": (size.pairs,), "streams": (2, size.streams, 2), "stream_last": (size.streams,),
    }  # fmt: skip


INTEGER = {"counters", "players", "slots", "teams", "grid_seen", "pair_last", "stream_last"}


def empty(size: Size) -> Arrays:
    """Arrays with that much room and nothing learned."""
    made: dict[str, Any] = {
        name: np.full(shape, NEVER, np.int64) if name in INTEGER else np.zeros(shape)
        for name, shape in _shapes(size).items()
    }
    made["counters"][:] = (0, 0, 0, NEVER, NEVER, 0, 0)
    made["players"][:, [PLAYED, SESSION, IN_SESSION]] = 0
    return Arrays(**made)


def grown(old: Arrays, size: Size) -> Arrays:
    """A copy of `old` with room for more names."""
    new = empty(size)
    for source, target in zip(old, new, strict=True):
        target[tuple(slice(0, length) for length in source.shape)] = source
    return new


def copied(old: Arrays) -> Arrays:
    """An independent copy."""
    return Arrays(**{name: part.copy() for name, part in old._asdict().items()})
