"""One match forecast by both filters; the state is left alone."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import LAST, LAST_BASE, NEVER, POS, SLOT, SLOT_POS, WAITS, Arrays
from tipoff.forecast.columns import (
    NOISE,
    POSITION,
    Q_BASE,
    Q_SESSION,
    Q_TEAM,
    REGRESSORS,
    V0,
    V_MEETING,
    V_REGRESSOR,
    V_SESSION,
    V_TEAM,
    Q,
)
from tipoff.forecast.kernels.covariance import entry
from tipoff.forecast.kernels.effects import EFFECTS, days, effects, sign
from tipoff.forecast.kernels.jit import jit
from tipoff.forecast.kernels.moment import (
    circumstances,
    first_meeting,
    in_session,
    link_variance,
    log_scale,
)

PLAYER, TEAM, SESSION = 1 + REGRESSORS, 3 + REGRESSORS, 5 + REGRESSORS
LOCAL = 7 + REGRESSORS


@jit
def _local(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, about: np.ndarray, where: np.ndarray,
    own: np.ndarray, h: np.ndarray,
) -> None:  # fmt: skip
    """Fill the local states, in order: base, regressors, player A, B, team A, B, session A, B (each array (12,)).

    where[k] is a dense position, or NEVER for a state that has its prior variance and no covariance; own[k]
    the variance added by time or prior; h[k] how it is observed.
    """
    side = -1.0 if f == 0 else 1.0
    where[0], h[0] = 0, 1.0
    own[:] = 0.0
    own[0] = P[f, Q_BASE] * days(now, s.counters[LAST_BASE])
    for k in range(REGRESSORS):
        on = P[f, V_REGRESSOR] > 0
        where[1 + k], h[1 + k] = (1 + k, about[k]) if on else (NEVER, 0.0)
    for k in range(2):
        weight = 1.0 if k == 0 else side
        h[PLAYER + k], h[TEAM + k], h[SESSION + k] = weight, weight, weight
        p, t = row[k], row[2 + k]
        where[PLAYER + k] = s.players[p, POS]
        own[PLAYER + k] = P[f, Q] * days(now, s.players[p, LAST])
        where[TEAM + k] = s.teams[t, POS] if t >= 0 else NEVER
        if t < 0:
            h[TEAM + k] = 0.0
        else:
            new = where[TEAM + k] == NEVER
            own[TEAM + k] = P[f, V_TEAM] if new else P[f, Q_TEAM] * days(now, s.teams[t, LAST])
        going_on = in_session(s, p, now, gap)
        where[SESSION + k] = s.slots[s.players[p, SLOT], SLOT_POS] if going_on else NEVER
        own[SESSION + k] = P[f, Q_SESSION] * days(now, s.players[p, LAST]) if going_on else P[f, V_SESSION]
    a, b = PLAYER, PLAYER + 1
    if where[a] == NEVER and where[b] == NEVER:
        h[a], h[b] = 1.0 + side, side
        own[a], own[b] = P[f, V0], link_variance(s, P, f, now)
    elif where[a] == NEVER:
        h[b] += h[a]
        own[a] = link_variance(s, P, f, now)
    elif where[b] == NEVER:
        h[a] += h[b]
        own[b] = link_variance(s, P, f, now)


@jit
def _signal(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, about: np.ndarray
) -> tuple[float, float]:
    """Mean and variance of what filter f knows of its observation, without the noise of a match."""
    where, own, h = np.empty(LOCAL, np.int64), np.empty(LOCAL), np.empty(LOCAL)
    _local(s, P, f, row, now, gap, about, where, own, h)
    x, C = s.x[f], s.C[f]
    mean, var = 0.0, 0.0
    for i in range(LOCAL):
        var += h[i] * h[i] * own[i]
        if where[i] == NEVER or h[i] == 0.0:
            continue
        mean += h[i] * x[where[i]]
        var += h[i] * h[i] * C[where[i], where[i]]
        for j in range(i):
            if where[j] != NEVER and h[j] != 0.0:
                var += 2.0 * h[i] * h[j] * C[min(where[i], where[j]), max(where[i], where[j])]
    for w in range(s.counters[WAITS + f]):
        dot = 0.0
        for i in range(LOCAL):
            if where[i] != NEVER:
                dot += h[i] * s.waiting_u[f, w, where[i]]
        var -= dot * dot / s.waiting_var[f, w]
    if P[f, V_MEETING] > 0 and first_meeting(s, row):
        a, b = where[PLAYER], where[PLAYER + 1]
        along = h[PLAYER] * own[PLAYER] - h[PLAYER + 1] * own[PLAYER + 1]
        for i in range(LOCAL):
            if where[i] != NEVER:
                along += h[i] * (entry(s, f, where[i], a) - entry(s, f, where[i], b))
        apart = entry(s, f, a, a) + entry(s, f, b, b) - 2.0 * entry(s, f, a, b)
        apart += own[PLAYER] + own[PLAYER + 1] + P[f, V_MEETING]
        mean -= along * (s.x[f, a] - s.x[f, b]) / apart
        var -= along * along / apart
    terms = np.empty((EFFECTS, 2))
    effects(s, P, f, row, now, gap, terms)
    for k in range(EFFECTS):
        mean += sign(f, k, row) * terms[k, 0]
        var += terms[k, 1]
    return mean, var


@jit
def forecast(s: Arrays, P: np.ndarray, row: np.ndarray, now: int, gap: int, out: np.ndarray) -> float:
    """Fill out (2, 2): mean and variance (points, points squared) of margin and total.

    Returns the mean number of matches that the two have already played in their sessions.
    """
    about = np.empty(REGRESSORS + 1)
    circumstances(s, row, now, gap, about)
    level, var = _signal(s, P, 1, row, now, gap, about)
    scale = np.exp(log_scale(s, P, 1, row, level, about[POSITION]))
    out[1, 0], out[1, 1] = level, var + P[1, NOISE] * scale
    mean, var = _signal(s, P, 0, row, now, gap, about)
    scale = np.exp(log_scale(s, P, 0, row, level, about[POSITION]))
    out[0, 0], out[0, 1] = mean * np.sqrt(scale), (var + P[0, NOISE]) * scale
    return float(about[POSITION])
