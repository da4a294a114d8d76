"""One match forecast by both filters; the state is left alone."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import LAST, LAST_BASE, LINKED, NEVER, PLAYED, POS, SLOT, SLOT_POS, WAITS, Arrays
from tipoff.forecast.columns import (
    FEW,
    NOISE,
    POSITION,
    Q_BASE,
    Q_SESSION,
    Q_TEAM,
    REGRESSORS,
    T_LATE,
    V0,
    V_LATE,
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
    late,
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
def _difference(
    s: Arrays, f: int, one: int, other: int, where: np.ndarray, h: np.ndarray
) -> tuple[float, float, float, float]:
    """Of the dense state `one` less `other`, without what time adds: mean, variance, two covariances.

    The covariances are those with the observation and with the difference of the two known players.
    """
    mean, var, along, apart = 0.0, 0.0, 0.0, 0.0
    for side in range(2):
        sign = 1.0 - 2.0 * side
        me = one if side == 0 else other
        mean += sign * s.x[f, me]
        for i in range(LOCAL + 2):
            at = where[i] if i < LOCAL else one if i == LOCAL else other
            if at == NEVER:
                continue
            shared = sign * entry(s, f, at, me)
            if i < LOCAL:
                along += h[i] * shared
            else:
                var += shared if i == LOCAL else -shared
            if i == PLAYER or i == PLAYER + 1:
                apart += shared if i == PLAYER else -shared
    return mean, var, along, apart


@jit
def mixed(d: float, u: float, c: float, v: float, tau: float) -> tuple[float, float]:
    """What `forecast.coldstart.carried` adds to mean and variance for one newcomer."""
    share = v / max(u, v)
    d, u, c = share * d, share * u, share * c
    most, total, first, second, less = 0.0, 0.0, 0.0, 0.0, 0.0
    for node in (1, 0, -1):
        step = node * np.sqrt(3.0) * tau
        a = (np.exp(-step) - 1.0) / v
        left = 1.0 + a * u
        height = -0.5 * (step + np.log(left) + a * d * d / left)
        most = height if node == 1 else most
        weight = (2.0 / 3.0 if node == 0 else 1.0 / 6.0) * np.exp(height - most)
        shift = -c * a * d / left
        total += weight
        first += weight * shift
        second += weight * shift * shift
        less += weight * c * c * a / left
    first /= total
    return first, (second - less) / total - first * first


@jit
def _doubt(
    s: Arrays, P: np.ndarray, row: np.ndarray, now: int, where: np.ndarray, h: np.ndarray, across: float,
    between: float,
) -> tuple[float, float]:  # fmt: skip
    """What is not known of later newcomers' variance adds to the margin's mean and variance.

    `h` is how states count once a first meeting has been observed, with variance `across` and value `between`.
    """
    mean, var, v = 0.0, 0.0, P[0, V_LATE]
    for side in range(2):
        p, me = row[side], PLAYER + side
        if where[me] == NEVER and late(s, now) and (side == 1 or where[PLAYER + 1] != NEVER):
            d, u, c = 0.0, v, h[me] * v
        elif s.players[p, LINKED] != NEVER and s.players[p, PLAYED] < FEW:
            first = s.players[s.players[p, LINKED], POS]
            d, u, c, apart = _difference(s, 0, where[me], first, where, h)
            d -= apart * between / across
            u -= apart * apart / across
        else:
            continue
        shift, more = mixed(d, u, c, v, P[0, T_LATE])
        mean += shift
        var += more
    return mean, var


@jit
def _corrected(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, where: np.ndarray, own: np.ndarray, h: np.ndarray
) -> tuple[float, float]:
    """What a first meeting, and then what is not known of newcomers, adds to mean and variance; changes h."""
    mean, var, across, between = 0.0, 0.0, np.inf, 0.0
    if P[f, V_MEETING] > 0 and first_meeting(s, row):
        a, b = PLAYER, PLAYER + 1
        between, apart, along, _ = _difference(s, f, where[a], where[b], where, h)
        along += h[a] * own[a] - h[b] * own[b]
        across = apart + own[a] + own[b] + P[f, V_MEETING]
        mean, var = -along * between / across, -along * along / across
        h[a] -= along / across
        h[b] += along / across
    if f == 0 and min(P[f, T_LATE], P[f, V_LATE]) > 0:
        shift, more = _doubt(s, P, row, now, where, h, across, between)
        mean += shift
        var += more
    return mean, var


@jit
def _signal(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, about: np.ndarray
) -> tuple[float, float]:
    """Mean and variance of what filter f knows of its observation, without the noise of a match."""
    where, own, h = np.empty(LOCAL, np.int64), np.empty(LOCAL), np.empty(LOCAL)
    _local(s, P, f, row, now, gap, about, where, own, h)
    x, C = s.x[f], s.C[f]
    at, weight, count = np.empty(LOCAL, np.int64), np.empty(LOCAL), 0
    mean, var = 0.0, 0.0
    for i in range(LOCAL):
        var += h[i] * h[i] * own[i]
        if where[i] != NEVER and h[i] != 0.0:
            at[count], weight[count] = where[i], h[i]
            count += 1
    for i in range(count):
        mean += weight[i] * x[at[i]]
        var += weight[i] * weight[i] * C[at[i], at[i]]
        for j in range(i):
            var += 2.0 * weight[i] * weight[j] * C[min(at[i], at[j]), max(at[i], at[j])]
    for w in range(s.counters[WAITS + f]):
        u = s.waiting_u[f, w]
        dot = 0.0
        for i in range(count):
            dot += weight[i] * u[at[i]]
        var -= dot * dot / s.waiting_var[f, w]
    shift, more = _corrected(s, P, f, row, now, where, own, h)
    terms = np.empty((EFFECTS, 2))
    effects(s, P, f, row, now, gap, terms)
    for k in range(EFFECTS):
        shift += sign(f, k, row) * terms[k, 0]
        more += terms[k, 1]
    return mean + shift, var + more


@jit
def forecast(s: Arrays, P: np.ndarray, row: np.ndarray, now: int, gap: int, out: np.ndarray) -> float:
    """Fill out (2, 2): mean and variance (points, points squared) of margin and total.

    Returns the mean number of matches that the two have already played in their sessions.
    """
    about = np.empty(REGRESSORS + 1)
    circumstances(s, row, now, gap, about)
    level = 0.0
    for f in (1, 0):
        mean, var = _signal(s, P, f, row, now, gap, about)
        level = mean if f == 1 else level
        scale = np.exp(log_scale(s, P, f, row, level, about[POSITION]))
        if f == 1:
            out[f, 0], out[f, 1] = mean, var + P[f, NOISE] * scale
        else:
            out[f, 0], out[f, 1] = mean * np.sqrt(scale), (var + P[f, NOISE]) * scale
    return float(about[POSITION])
