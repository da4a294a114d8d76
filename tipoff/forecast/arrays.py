"""The filters' state as plain arrays, in the layout that the compiled loops work on."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tipoff.forecast.columns import REGRESSORS

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

N_USED, N_SLOTS, N_MATCHES, LAST_BASE, FIRST = range(5)
NEVER = -1
WAITING = 8
"""rank-one updates that are gathered before they go through the covariance in one pass"""


class Arrays(NamedTuple):
    """Both Gaussian filters at once; leading axis 2 is margin, total. P players, T teams, S slots, N dense states.

    Dense states are the base (position 0), the regressors where the model has them (1 to 5) and then, in order of
    need, players, teams and session slots; `pos_*` and `slot_*` say where each lives. Times are minutes since 1970,
    NEVER before the first match. The covariance is C less the waiting updates: u u' / var for each of them.
    """

    x: F64
    """(2, N) means"""
    C: F64
    """(2, N, N) upper triangle; only the first `counters[N_USED]` rows and columns are in use"""
    waiting_u: F64
    """(2, WAITING, N)"""
    waiting_var: F64
    """(2, WAITING)"""
    waiting: I64
    """(2,) how many updates wait"""
    counters: I64
    """(5,) states in use, session slots, matches learned, times of the last and of the first match"""
    pos_player: I64
    last_player: I64
    played: I64
    """(P,) matches learned of each player"""
    session: I64
    """(P,) number of the player's current session"""
    in_session: I64
    """(P,) matches learned of that session"""
    log_scale: F64
    """(2, P) what each player adds to the logarithm of the variance"""
    slot_of: I64
    """(P,) the session slot a player holds, or NEVER"""
    slot_pos: I64
    slot_player: I64
    """(S,)"""
    pos_team: I64
    last_team: I64
    pt_mean: F64
    """(2, P, T) player x team"""
    pt_var: F64
    pt_last: I64
    pts_mean: F64
    """(2, P, T) player x team x session"""
    pts_var: F64
    pts_session: I64
    pair_mean: F64
    """(2, pairs); for the margin seen from the player with the lower index"""
    pair_var: F64
    pair_last: I64
    stream_mean: F64
    stream_var: F64
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
    return Size(
        len(made.pos_player), len(made.pos_team), len(made.pair_last), len(made.stream_last), len(made.slot_pos)
    )


def _shapes(size: Size) -> dict[str, tuple[tuple[int, ...], float]]:
    n, players, teams, slots = size.states, (size.players,), (size.teams,), (size.slots,)
    grid = (2, size.players, size.teams)
    pairs, streams = (size.pairs,), (size.streams,)
    return {
        "x": ((2, n), 0), "C": ((2, n, n), 0), "waiting_u": ((2, WAITING, n), 0), "waiting_var": ((2, WAITING), 0),
        "waiting": ((2,), 0), "counters": ((5,), 0),
        "pos_player": (players, NEVER), "last_player": (players, NEVER), "played": (players, 0),
        "session": (players, 0), "in_session": (players, 0), "log_scale": ((2, *players), 0),
        "slot_of": (players, NEVER), "slot_pos": (slots, NEVER), "slot_player": (slots, NEVER),
        "pos_team": (teams, NEVER), "last_team": (teams, NEVER),
        "pt_mean": (grid, 0), "pt_var": (grid, 0), "pt_last": (grid[1:], NEVER),
        "pts_mean": (grid, 0), "pts_var": (grid, 0), "pts_session": (grid[1:], NEVER),
        "pair_mean": ((2, *pairs), 0), "pair_var": ((2, *pairs), 0), "pair_last": (pairs, NEVER),
        "stream_mean": ((2, *streams), 0), "stream_var": ((2, *streams), 0), "stream_last": (streams, NEVER),
    }  # fmt: skip


INTEGER = {
    "waiting", "counters", "pos_player", "last_player", "played", "session", "in_session", "slot_of", "slot_pos",
    "slot_player", "pos_team", "last_team", "pt_last", "pts_session", "pair_last", "stream_last",
}  # fmt: skip


def empty(size: Size) -> Arrays:
    """Arrays with that much room and nothing learned."""
    made: dict[str, Any] = {
        name: np.full(shape, fill, dtype=np.int64 if name in INTEGER else np.float64)
        for name, (shape, fill) in _shapes(size).items()
    }
    made["counters"][:] = (0, 0, 0, NEVER, NEVER)
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
