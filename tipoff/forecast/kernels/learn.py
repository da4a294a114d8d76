"""One result through both Gaussian filters, learned in place (Kalman 1960).

The full-covariance filter with a time update only for the states a match touches.
"""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import (
    FIRST,
    IN_SESSION,
    LAST,
    LAST_BASE,
    LINKED,
    N_MATCHES,
    N_SLOTS,
    NEVER,
    PLAYED,
    POS,
    PT_LAST,
    PTS_SESSION,
    SESSION,
    SLOT,
    SLOT_PLAYER,
    SLOT_POS,
    Arrays,
)
from tipoff.forecast.columns import (
    CLIP,
    M_BASE,
    NOISE,
    POSITION,
    Q_BASE,
    Q_SESSION,
    Q_TEAM,
    REGRESSORS,
    V0,
    V_BASE,
    V_MEETING,
    V_REGRESSOR,
    V_SESSION,
    V_TEAM,
    Q,
)
from tipoff.forecast.kernels.covariance import condition, link, new_state, reset, times
from tipoff.forecast.kernels.effects import EFFECTS, days, effects, keep_effects, sign
from tipoff.forecast.kernels.jit import jit
from tipoff.forecast.kernels.moment import (
    circumstances,
    first_meeting,
    in_session,
    late,
    learn_scale,
    link_variance,
    log_scale,
)


@jit
def start(s: Arrays, P: np.ndarray) -> None:
    """Put the base, and the regressors where there are any, into an empty state."""
    new_state(s, P[:, V_BASE])
    s.x[:, 0] = P[:, M_BASE]
    if max(P[0, V_REGRESSOR], P[1, V_REGRESSOR]) > 0:
        for _ in range(REGRESSORS):
            new_state(s, P[:, V_REGRESSOR])


@jit
def _take_slot(s: Arrays, player: int, now: int, gap: int, variance: np.ndarray) -> None:
    """Give the player a session slot that is theirs or whose session is over, or a new one."""
    slot = s.players[player, SLOT]
    if slot == NEVER:
        for k in range(s.counters[N_SLOTS]):
            if now - s.players[s.slots[k, SLOT_PLAYER], LAST] > gap:
                slot = k
                s.players[s.slots[k, SLOT_PLAYER], SLOT] = NEVER
                break
    if slot == NEVER:
        slot = s.counters[N_SLOTS]
        s.counters[N_SLOTS] += 1
        s.slots[slot, SLOT_POS] = new_state(s, variance)
    else:
        reset(s, s.slots[slot, SLOT_POS], variance)
    s.players[player, SLOT] = slot
    s.slots[slot, SLOT_PLAYER] = player


@jit
def _drift(s: Arrays, P: np.ndarray, row: np.ndarray, now: int, gap: int) -> None:
    """What time adds to the states in the filter that this match touches."""
    for f in range(2):
        s.C[f, 0, 0] += P[f, Q_BASE] * days(now, s.counters[LAST_BASE])
        for k in range(2):
            p, t = row[k], row[2 + k]
            away = days(now, s.players[p, LAST])
            at = s.players[p, POS]
            if at != NEVER:
                s.C[f, at, at] += P[f, Q] * away
            if in_session(s, p, now, gap):
                at = s.slots[s.players[p, SLOT], SLOT_POS]
                s.C[f, at, at] += P[f, Q_SESSION] * away
            if t >= 0 and s.teams[t, POS] != NEVER:
                at = s.teams[t, POS]
                s.C[f, at, at] += P[f, Q_TEAM] * days(now, s.teams[t, LAST])


@jit
def _admit(s: Arrays, P: np.ndarray, row: np.ndarray, now: int, gap: int) -> None:
    """Positions for players, teams and sessions seen for the first time."""
    a, b = row[0], row[1]
    if s.players[a, POS] == NEVER and s.players[b, POS] == NEVER:
        s.players[a, POS] = new_state(s, P[:, V0])
    for new, known in ((a, b), (b, a)):
        if s.players[new, POS] == NEVER:
            s.players[new, POS] = new_state(s, P[:, V0])
            if late(s, now):
                s.players[new, LINKED] = known
            for f in range(2):
                link(s, s.players[new, POS], s.players[known, POS], f, link_variance(s, P, f, now))
    for k in range(2):
        p, t = row[k], row[2 + k]
        if t >= 0 and s.teams[t, POS] == NEVER:
            s.teams[t, POS] = new_state(s, P[:, V_TEAM])
        if not in_session(s, p, now, gap):
            _take_slot(s, p, now, gap, P[:, V_SESSION])
            s.players[p, SESSION] += 1
            s.players[p, IN_SESSION] = 0
            s.players[p, LAST] = now


@jit
def _bring_together(s: Arrays, P: np.ndarray, f: int, row: np.ndarray, ch: np.ndarray) -> None:
    """Observe that the two are equally strong, with variance v_meeting."""
    at, h = np.empty(2, np.int64), np.empty(2)
    at[0], at[1] = s.players[row[0], POS], s.players[row[1], POS]
    h[0], h[1] = 1.0, -1.0
    times(s, f, at, h, 2, ch)
    var = ch[at[0]] - ch[at[1]] + P[f, V_MEETING]
    condition(s, f, ch, (s.x[f, at[1]] - s.x[f, at[0]]) / var, var)


@jit
def _positions(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, about: np.ndarray, at: np.ndarray, h: np.ndarray
) -> int:
    """Fill dense positions and weights of the observed states; returns how many."""
    side = -1.0 if f == 0 else 1.0
    at[0], h[0] = 0, 1.0
    n = 1
    if P[f, V_REGRESSOR] > 0:
        for k in range(REGRESSORS):
            at[n], h[n] = 1 + k, about[k]
            n += 1
    for k in range(2):
        for place in (s.players[row[k], POS], s.slots[s.players[row[k], SLOT], SLOT_POS]):
            at[n], h[n] = place, 1.0 if k == 0 else side
            n += 1
        if row[2 + k] >= 0:
            at[n], h[n] = s.teams[row[2 + k], POS], 1.0 if k == 0 else side
            n += 1
    return n


@jit
def _observe(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, about: np.ndarray, y: float, level: float,
    ch: np.ndarray,
) -> tuple[float, float, float]:  # fmt: skip
    """Condition filter f on the observation y (points); the total's own forecast is its level.

    Returns the mean and variance it had forecast, in points, and the squared standardised error.
    """
    at, h = np.empty(7 + REGRESSORS, np.int64), np.empty(7 + REGRESSORS)
    count = _positions(s, P, f, row, about, at, h)
    times(s, f, at, h, count, ch)
    mean, var = 0.0, 0.0
    for k in range(count):
        mean += h[k] * s.x[f, at[k]]
        var += h[k] * ch[at[k]]
    terms = np.empty((EFFECTS, 2))
    effects(s, P, f, row, now, gap, terms)
    for k in range(EFFECTS):
        mean += sign(f, k, row) * terms[k, 0]
        var += terms[k, 1]
    scale = np.exp(log_scale(s, P, f, row, mean if f == 1 else level, about[POSITION]))
    unit = np.sqrt(scale) if f == 0 else 1.0
    var += P[f, NOISE] * (scale if f == 1 else 1.0)
    error = y / unit - mean
    bound = P[f, CLIP] * np.sqrt(var)
    gain = min(max(error, -bound), bound) / var
    condition(s, f, ch, gain, var)
    for k in range(EFFECTS):
        terms[k, 0] += sign(f, k, row) * terms[k, 1] * gain
        terms[k, 1] -= terms[k, 1] * terms[k, 1] / var
    keep_effects(s, f, row, terms)
    return mean * unit, var * unit * unit, error * error / var


@jit
def learn(
    s: Arrays, P: np.ndarray, row: np.ndarray, now: int, gap: int, y: np.ndarray, only: int, level: float,
    ch: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Learn one result in place; out (2, 2) takes the mean and variance each filter had forecast, in points.

    `only` is 0 or 1 to run one filter (while fitting), or NEVER for both; the margin's filter alone needs `level`,
    the total that was forecast. `y` is (margin, total) in points.
    """
    about = np.empty(REGRESSORS + 1)
    circumstances(s, row, now, gap, about)
    meeting = first_meeting(s, row)
    if s.counters[FIRST] == NEVER:
        s.counters[FIRST] = now
    _drift(s, P, row, now, gap)
    _admit(s, P, row, now, gap)
    for f in (1, 0):
        if only not in (NEVER, f):
            continue
        if meeting and P[f, V_MEETING] > 0:
            _bring_together(s, P, f, row, ch)
        mean, var, z2 = _observe(s, P, f, row, now, gap, about, y[f], level, ch)
        out[f, 0], out[f, 1] = mean, var
        learn_scale(s, P, f, row, z2)
        level = mean if f == 1 else level
    s.counters[LAST_BASE] = now
    s.counters[N_MATCHES] += 1
    for k in range(2):
        p, t = row[k], row[2 + k]
        s.players[p, LAST] = now
        s.players[p, PLAYED] += 1
        s.players[p, IN_SESSION] += 1
        if t >= 0:
            s.teams[t, LAST] = now
            s.grid_seen[p, t, PT_LAST] = now
            s.grid_seen[p, t, PTS_SESSION] = s.players[p, SESSION]
    s.pair_last[row[5]] = now
    if row[4] >= 0:
        s.stream_last[row[4]] = now
