"""The small effects kept independent of everything else: player with team, team today, pair, stream."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import NEVER, Arrays
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
        last = s.pt_last[p, t]
        out[side] = _scalar(s.pt_mean[f, p, t], s.pt_var[f, p, t], last != NEVER, P[f, V_PT], q * days(now, last))
        same = in_session(s, p, now, gap) and s.pts_session[p, t] == s.session[p]
        out[2 + side] = _scalar(s.pts_mean[f, p, t], s.pts_var[f, p, t], same, P[f, V_PTS], 0.0)
    pair, stream = row[5], row[4]
    last = s.pair_last[pair]
    out[4] = _scalar(s.pair_mean[f, pair], s.pair_var[f, pair], last != NEVER, P[f, V_PAIR], q * days(now, last))
    if stream >= 0:
        last = s.stream_last[stream]
        drift = q * days(now, last)
        out[5] = _scalar(s.stream_mean[f, stream], s.stream_var[f, stream], last != NEVER, P[f, V_STREAM], drift)


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
            s.pt_mean[f, row[k], row[2 + k]], s.pt_var[f, row[k], row[2 + k]] = terms[k]
            s.pts_mean[f, row[k], row[2 + k]], s.pts_var[f, row[k], row[2 + k]] = terms[2 + k]
    s.pair_mean[f, row[5]], s.pair_var[f, row[5]] = terms[4]
    if row[4] >= 0:
        s.stream_mean[f, row[4]], s.stream_var[f, row[4]] = terms[5]
