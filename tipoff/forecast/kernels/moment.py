"""What is special about a match besides who plays: where in the session, how rested, what hour; how wide it is."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import FIRST, IN_SESSION, LAST, NEVER, PLAYED, POS, Arrays
from tipoff.forecast.columns import (
    C_LEVEL,
    C_POSITION,
    DAY,
    LEVEL_REACH,
    LONGEST_REST,
    M_BASE,
    MOST_PLAYED,
    NEWCOMER_DAYS,
    POSITION,
    SHORTEST_REST,
    USUAL_POSITION,
    USUAL_REST,
    V_LATE,
    V_LINK,
    V_SCALE,
    Z2_MOST,
)
from tipoff.forecast.kernels.jit import jit


@jit
def in_session(s: Arrays, player: int, now: int, gap: int) -> bool:
    """Whether a match at minute `now` continues the player's session."""
    last = s.players[player, LAST]
    return bool(last != NEVER and now - last <= gap)


@jit
def circumstances(s: Arrays, row: np.ndarray, now: int, gap: int, out: np.ndarray) -> None:
    """Fill out (6,): the five regressors of the total, and the mean of matches already played in the session.

    The regressors: share of the two who begin their session; position in it; logarithm of the rest; cosine and sine
    of the hour (UTC).
    """
    out[:] = 0.0
    for side in range(2):
        last = s.players[row[side], LAST]
        rest = LONGEST_REST if last == NEVER else min(max(now - last, SHORTEST_REST), LONGEST_REST)
        out[2] += 0.5 * np.log(rest / USUAL_REST)
        if in_session(s, row[side], now, gap):
            played = s.players[row[side], IN_SESSION]
            out[1] += 0.5 * min(played, MOST_PLAYED - 1)
            out[POSITION] += 0.5 * played
        else:
            out[0] += 0.5
    out[POSITION] = min(out[POSITION], MOST_PLAYED)
    out[1] = (out[1] - USUAL_POSITION) / USUAL_POSITION
    angle = 2.0 * np.pi * (now % 1440) / DAY
    out[3], out[4] = np.cos(angle), np.sin(angle)


@jit
def first_meeting(s: Arrays, row: np.ndarray) -> bool:
    """Whether both are known and have not met."""
    return bool(s.pair_last[row[5]] == NEVER and s.players[row[0], POS] != NEVER and s.players[row[1], POS] != NEVER)


@jit
def late(s: Arrays, now: int) -> bool:
    """Whether a player first seen now is new, not only unseen."""
    first = s.counters[FIRST]
    return bool(first != NEVER and now - first > NEWCOMER_DAYS * DAY)


@jit
def link_variance(s: Arrays, P: np.ndarray, f: int, now: int) -> float:
    """How far a player first seen now may be from the opponent."""
    return float(P[f, V_LATE] if late(s, now) else P[f, V_LINK])


@jit
def log_scale(s: Arrays, P: np.ndarray, f: int, row: np.ndarray, level: float, position: float) -> float:
    """Logarithm of what multiplies the variance of filter f, at a forecast total of `level` points."""
    value = P[f, C_LEVEL] * min(max(level - P[1, M_BASE], -LEVEL_REACH), LEVEL_REACH)
    value += P[f, C_POSITION] * (position - USUAL_POSITION)
    if P[f, V_SCALE] > 0:
        value += s.log_scale[f, row[0]] + s.log_scale[f, row[1]]
    return float(value)


@jit
def learn_scale(s: Arrays, P: np.ndarray, f: int, row: np.ndarray, z2: float) -> None:
    """Move both players' log-variances towards a squared standardised error of `z2` (one Newton step)."""
    if P[f, V_SCALE] > 0:
        for side in range(2):
            precision = 1.0 / P[f, V_SCALE] + 0.5 * s.players[row[side], PLAYED]
            s.log_scale[f, row[side]] += (min(z2, Z2_MOST) - 1.0) / (2.0 * precision)
