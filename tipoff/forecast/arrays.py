"""The filters' state as plain arrays, in the layout that the compiled loops work on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

N_USED, N_SLOTS, N_MATCHES, LAST_BASE = 0, 1, 2, 3
NEVER = -1


class Arrays(NamedTuple):
    """Both Gaussian filters at once; leading axis 2 is margin, total. P players, T teams, N dense states.

    Dense states are the base (position 0) and then, in order of need, players, teams and session slots;
    `pos_*` and `slot_*` say where each lives. Times are minutes since 1970, NEVER before the first match.
    """

    x: F64
    """(2, N) means"""
    C: F64
    """(2, N, N) covariance; only the first `counters[N_USED]` rows and columns are in use"""
    counters: I64
    """(4,) states in use, session slots, matches learned, time of the last match"""
    pos_player: I64
    last_player: I64
    played: I64
    """(P,) matches learned of each player"""
    session: I64
    """(P,) number of the player's current session"""
    slot_of: I64
    """(P,) the session slot a player holds, or NEVER"""
    slot_pos: I64
    slot_player: I64
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


def _sizes(players: int, teams: int, pairs: int, streams: int) -> dict[str, tuple[tuple[int, ...], float]]:
    n = 1 + 2 * players + teams
    grid = (2, players, teams)
    return {
        "x": ((2, n), 0), "C": ((2, n, n), 0), "counters": ((4,), 0),
        "pos_player": ((players,), NEVER), "last_player": ((players,), NEVER), "played": ((players,), 0),
        "session": ((players,), 0), "slot_of": ((players,), NEVER), "slot_pos": ((players,), NEVER),
        "slot_player": ((players,), NEVER), "pos_team": ((teams,), NEVER), "last_team": ((teams,), NEVER),
        "pt_mean": (grid, 0), "pt_var": (grid, 0), "pt_last": (grid[1:], NEVER),
        "pts_mean": (grid, 0), "pts_var": (grid, 0), "pts_session": (grid[1:], NEVER),
        "pair_mean": ((2, pairs), 0), "pair_var": ((2, pairs), 0), "pair_last": ((pairs,), NEVER),
        "stream_mean": ((2, streams), 0), "stream_var": ((2, streams), 0), "stream_last": ((streams,), NEVER),
    }  # fmt: skip


INTEGER = {
    "counters", "pos_player", "last_player", "played", "session", "slot_of", "slot_pos", "slot_player",
    "pos_team", "last_team", "pt_last", "pts_session", "pair_last", "stream_last",
}  # fmt: skip


def empty(players: int, teams: int, pairs: int, streams: int) -> Arrays:
    """Arrays with room for that many names and nothing learned."""
    made: dict[str, Any] = {
        name: np.full(shape, fill, dtype=np.int64 if name in INTEGER else np.float64)
        for name, (shape, fill) in _sizes(players, teams, pairs, streams).items()
    }
    made["counters"][:] = (0, 0, 0, NEVER)
    return Arrays(**made)


def grown(old: Arrays, players: int, teams: int, pairs: int, streams: int) -> Arrays:
    """A copy of `old` with room for more names."""
    new = empty(players, teams, pairs, streams)
    for source, target in zip(old, new, strict=True):
        target[tuple(slice(0, size) for size in source.shape)] = source
    return new


def copied(old: Arrays) -> Arrays:
    """An independent copy."""
    return Arrays(**{name: part.copy() for name, part in old._asdict().items()})
