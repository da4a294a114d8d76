"""The small effects kept independent of everything else: player with team, team today, pair, stream."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import (
    MEAN,
    NEVER,
    PT_LAST,
    PT_MEAN,
    PT_VAR,
    PTS_MEAN,
    PTS_SESSION,
    PTS_VAR,
    SESSION,
    VAR,
    Arrays,
)
from tipoff.forecast.columns import DAY, Q_EXTRAS, V_PAIR, V_PT, V_PTS, V_STREAM
from tipoff.forecast.kernels.jit import jit
from tipoff.forecast.kernels.moment import in_session

EFFECTS = 6


@jit
def days(now: int, last: int) -> float:
    """Days since minute `last`; none since NEVER."""
    return max(now - last, 0) / DAY if last != NEVER else 0.0


@jit
def _scalar(mean: float, var: float, seen: bool, prior: float, drift: float) -> tuple[float, float]:
    return (mean, var + drift) if seen else (0.0, prior)


@jit
def effects(s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, out: np.ndarray) -> None:
    """Fill out (6, 2) with mean and variance of: player-team A, B, player-team-session A, B, pair, stream.

    The sign with which each enters the observation is the caller's.
    """
    out[:] = 0.0
    q = P[f, Q_EXTRAS]
    for side in range(2):
        p, t = row[side], row[2 + side]
        if t < 0:
            continue
        last = s.grid_seen[p, t, PT_LAST]
        kept = s.grid[f, p, t]
        out[side] = _scalar(kept[PT_MEAN], kept[PT_VAR], last != NEVER, P[f, V_PT], q * days(now, last))
        same = in_session(s, p, now, gap) and s.grid_seen[p, t, PTS_SESSION] == s.players[p, SESSION]
        out[2 + side] = _scalar(kept[PTS_MEAN], kept[PTS_VAR], same, P[f, V_PTS], 0.0)
    pair, stream = row[5], row[4]
    last = s.pair_last[pair]
    out[4] = _scalar(s.pairs[f, pair, MEAN], s.pairs[f, pair, VAR], last != NEVER, P[f, V_PAIR], q * days(now, last))
    if stream >= 0:
        last = s.stream_last[stream]
        drift = q * days(now, last)
        out[5] = _scalar(s.streams[f, stream, MEAN], s.streams[f, stream, VAR], last != NEVER, P[f, V_STREAM], drift)


@jit
def sign(f: int, term: int, row: np.ndarray) -> float:
    """The sign of effect 0..5 in the observation of filter f."""
    if f == 1 or term == 0 or term == 2:
        return 1.0
    if term == 4:
        return 1.0 if row[0] < row[1] else -1.0
    return -1.0 if term in (1, 3) else 1.0


@jit
def keep_effects(s: Arrays, f: int, row: np.ndarray, terms: np.ndarray) -> None:
    """Put the effects (6, 2) of a match back."""
    for k in range(2):
        if row[2 + k] >= 0:
            kept = s.grid[f, row[k], row[2 + k]]
            kept[PT_MEAN], kept[PT_VAR] = terms[k]
            kept[PTS_MEAN], kept[PTS_VAR] = terms[2 + k]
    s.pairs[f, row[5]] = terms[4]
    if row[4] >= 0:
        s.streams[f, row[4]] = terms[5]
