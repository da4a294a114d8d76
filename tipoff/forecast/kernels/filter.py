"""One match through both Gaussian filters: forecast without touching the state, or learn in place.

The full-covariance filter with a time update only for the states a match touches. Every loop over the
dense states is element by element, so that rows of players not yet seen can't change a single bit.
Column numbers of `P` (hyper-parameters) follow `tipoff.forecast.params.FilterParams`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tipoff.forecast.arrays import LAST_BASE, N_MATCHES, N_SLOTS, N_USED, NEVER, Arrays

V0, Q, V_SESSION, V_TEAM, Q_TEAM, V_BASE, Q_BASE, NOISE, CLIP, V_LINK = range(10)
V_PT, V_PAIR, V_PTS, Q_EXTRAS, V_STREAM, M_BASE = range(10, 16)
DAY = 1440.0

_jit: Any = njit(cache=True, error_model="numpy")


@_jit
def _days(now: int, last: int) -> float:
    return max(now - last, 0) / DAY if last != NEVER else 0.0


@_jit
def start(s: Arrays, P: np.ndarray) -> None:
    """Put the base into an empty state."""
    s.counters[N_USED] = 1
    for f in range(2):
        s.x[f, 0] = P[f, M_BASE]
        s.C[f, 0, 0] = P[f, V_BASE]


@_jit
def _in_session(s: Arrays, player: int, now: int, gap: int) -> bool:
    last = s.last_player[player]
    return bool(last != NEVER and now - last <= gap)


@_jit
def _scalar(mean: float, var: float, seen: bool, prior: float, drift: float) -> tuple[float, float]:
    return (mean, var + drift) if seen else (0.0, prior)


@_jit
def extras(s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, out: np.ndarray) -> None:
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
        out[side] = _scalar(s.pt_mean[f, p, t], s.pt_var[f, p, t], last != NEVER, P[f, V_PT], q * _days(now, last))
        same = _in_session(s, p, now, gap) and s.pts_session[p, t] == s.session[p]
        out[2 + side] = _scalar(s.pts_mean[f, p, t], s.pts_var[f, p, t], same, P[f, V_PTS], 0.0)
    last = s.pair_last[row[5]]
    out[4] = _scalar(s.pair_mean[f, row[5]], s.pair_var[f, row[5]], last != NEVER, P[f, V_PAIR], q * _days(now, last))
    if row[4] >= 0:
        last = s.stream_last[row[4]]
        out[5] = _scalar(
            s.stream_mean[f, row[4]],
            s.stream_var[f, row[4]],
            last != NEVER,
            P[f, V_STREAM],
            q * _days(now, last),
        )


@_jit
def _sign(f: int, term: int, row: np.ndarray) -> float:
    """The sign of extras term 0..5 in the observation of filter f."""
    if f == 1 or term == 0 or term == 2:
        return 1.0
    if term == 4:
        return 1.0 if row[0] < row[1] else -1.0
    return -1.0 if term in (1, 3) else 1.0


@_jit
def _local(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, where: np.ndarray, own: np.ndarray,
    h: np.ndarray,
) -> None:  # fmt: skip
    """Fill the local states of a match, in order: base, player A, B, team A, B, session A, B (each array (7,)).

    where[k] is a dense position, or NEVER for a state that has its prior variance and no covariance; own[k]
    the variance added by time or prior; h[k] the sign with which it is observed.
    """
    side = -1.0 if f == 0 else 1.0
    where[0] = 0
    own[:] = 0.0
    own[0] = P[f, Q_BASE] * _days(now, s.counters[LAST_BASE])
    h[0] = 1.0
    for k in range(2):
        sign = 1.0 if k == 0 else side
        h[1 + k], h[3 + k], h[5 + k] = sign, sign, sign
        p, t = row[k], row[2 + k]
        where[1 + k] = s.pos_player[p]
        own[1 + k] = P[f, Q] * _days(now, s.last_player[p])
        where[3 + k] = s.pos_team[t] if t >= 0 else NEVER
        if t < 0:
            h[3 + k] = 0.0
        else:
            own[3 + k] = P[f, V_TEAM] if where[3 + k] == NEVER else P[f, Q_TEAM] * _days(now, s.last_team[t])
        going_on = _in_session(s, p, now, gap)
        where[5 + k] = s.slot_pos[s.slot_of[p]] if going_on else NEVER
        own[5 + k] = 0.0 if going_on else P[f, V_SESSION]
    if where[1] == NEVER and where[2] == NEVER:
        h[1], h[2] = 1.0 + side, side
        own[1], own[2] = P[f, V0], P[f, V_LINK]
    elif where[1] == NEVER:
        h[2] += h[1]
        own[1] = P[f, V_LINK]
    elif where[2] == NEVER:
        h[1] += h[2]
        own[2] = P[f, V_LINK]


@_jit
def forecast(s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int) -> tuple[float, float]:
    """Mean and variance (points, points squared) of filter f's observation; the state is left alone."""
    where, own, h = np.empty(7, np.int64), np.empty(7), np.empty(7)
    _local(s, P, f, row, now, gap, where, own, h)
    mean, var = 0.0, P[f, NOISE]
    for i in range(7):
        var += h[i] * h[i] * own[i]
        if where[i] == NEVER:
            continue
        mean += h[i] * s.x[f, where[i]]
        for j in range(7):
            if where[j] != NEVER:
                var += h[i] * h[j] * s.C[f, max(where[i], where[j]), min(where[i], where[j])]
    terms = np.empty((6, 2))
    extras(s, P, f, row, now, gap, terms)
    for k in range(6):
        mean += _sign(f, k, row) * terms[k, 0]
        var += terms[k, 1]
    return mean, var


@_jit
def _new_position(s: Arrays, variance: np.ndarray) -> int:
    at = s.counters[N_USED]
    s.counters[N_USED] += 1
    _reset(s, at, variance)
    return int(at)


@_jit
def _reset(s: Arrays, at: int, variance: np.ndarray) -> None:
    """Make the dense state at `at` N(0, variance), independent of all others."""
    for f in range(2):
        s.x[f, at] = 0.0
        s.C[f, at, :at] = 0.0
        for i in range(at + 1, s.counters[N_USED]):
            s.C[f, i, at] = 0.0
        s.C[f, at, at] = variance[f]


@_jit
def _link(s: Arrays, new: int, known: int, v_link: np.ndarray) -> None:
    """Make the state at `new` that at `known` plus an independent N(0, v_link)."""
    for f in range(2):
        s.x[f, new] = s.x[f, known]
        for i in range(new):
            s.C[f, new, i] = s.C[f, max(known, i), min(known, i)]
        s.C[f, new, new] = s.C[f, known, known] + v_link[f]


@_jit
def _take_slot(s: Arrays, player: int, now: int, gap: int, variance: np.ndarray) -> None:
    """Give the player a session slot that is theirs or whose session is over, or a new one."""
    slot = s.slot_of[player]
    if slot == NEVER:
        for k in range(s.counters[N_SLOTS]):
            if now - s.last_player[s.slot_player[k]] > gap:
                slot = k
                s.slot_of[s.slot_player[k]] = NEVER
                break
    if slot == NEVER:
        slot = s.counters[N_SLOTS]
        s.counters[N_SLOTS] += 1
        s.slot_pos[slot] = _new_position(s, variance)
    else:
        _reset(s, s.slot_pos[slot], variance)
    s.slot_of[player] = slot
    s.slot_player[slot] = player


@_jit
def _advance(s: Arrays, P: np.ndarray, row: np.ndarray, now: int, gap: int) -> None:
    """The time update of the states that this match touches; admits new players, teams and sessions."""
    for f in range(2):
        s.C[f, 0, 0] += P[f, Q_BASE] * _days(now, s.counters[LAST_BASE])
        for k in range(2):
            if s.pos_player[row[k]] != NEVER:
                at = s.pos_player[row[k]]
                s.C[f, at, at] += P[f, Q] * _days(now, s.last_player[row[k]])
            if row[2 + k] >= 0 and s.pos_team[row[2 + k]] != NEVER:
                at = s.pos_team[row[2 + k]]
                s.C[f, at, at] += P[f, Q_TEAM] * _days(now, s.last_team[row[2 + k]])
    a, b = row[0], row[1]
    if s.pos_player[a] == NEVER and s.pos_player[b] == NEVER:
        s.pos_player[a] = _new_position(s, P[:, V0])
    for new, known in ((a, b), (b, a)):
        if s.pos_player[new] == NEVER:
            s.pos_player[new] = _new_position(s, P[:, V_LINK])
            _link(s, s.pos_player[new], s.pos_player[known], P[:, V_LINK])
    for k in range(2):
        if row[2 + k] >= 0 and s.pos_team[row[2 + k]] == NEVER:
            s.pos_team[row[2 + k]] = _new_position(s, P[:, V_TEAM])
        if not _in_session(s, row[k], now, gap):
            _take_slot(s, row[k], now, gap, P[:, V_SESSION])
            s.session[row[k]] += 1
            s.last_player[row[k]] = now


@_jit
def _positions(s: Arrays, f: int, row: np.ndarray, at: np.ndarray, sign: np.ndarray) -> int:
    """Fill dense positions and signs of the observed states besides the base; returns how many."""
    side = -1.0 if f == 0 else 1.0
    n = 0
    for k in range(2):
        for place in (s.pos_player[row[k]], s.slot_pos[s.slot_of[row[k]]]):
            at[n], sign[n] = place, 1.0 if k == 0 else side
            n += 1
        if row[2 + k] >= 0:
            at[n], sign[n] = s.pos_team[row[2 + k]], 1.0 if k == 0 else side
            n += 1
    return n


@_jit
def _covariances(C: np.ndarray, at: np.ndarray, sign: np.ndarray, observed: int, n: int, ch: np.ndarray) -> None:
    """ch = C h from the lower triangle C: rows left of the diagonal, columns below it."""
    for i in range(n):
        ch[i] = C[i, 0]
    for k in range(observed):
        place, plus = at[k], sign[k]
        line = C[place]
        for i in range(place):
            ch[i] += plus * line[i]
        for i in range(place, n):
            ch[i] += plus * C[i, place]


@_jit
def _condition(C: np.ndarray, x: np.ndarray, ch: np.ndarray, n: int, gain: float, var: float) -> None:
    """The rank-one update of mean and covariance."""
    for i in range(n):
        x[i] += ch[i] * gain
        g = ch[i] / var
        line = C[i]
        for j in range(i + 1):
            line[j] -= g * ch[j]


@_jit
def _observe(
    s: Arrays, P: np.ndarray, f: int, row: np.ndarray, now: int, gap: int, y: float, ch: np.ndarray
) -> tuple[float, float]:
    """Condition filter f on the observation y; returns the mean and variance it had forecast."""
    n = s.counters[N_USED]
    at, sign = np.empty(6, np.int64), np.empty(6)
    observed = _positions(s, f, row, at, sign)
    _covariances(s.C[f], at, sign, observed, n, ch)
    mean, var = s.x[f, 0], P[f, NOISE] + ch[0]
    for k in range(observed):
        mean += sign[k] * s.x[f, at[k]]
        var += sign[k] * ch[at[k]]
    terms = np.empty((6, 2))
    extras(s, P, f, row, now, gap, terms)
    for k in range(6):
        mean += _sign(f, k, row) * terms[k, 0]
        var += terms[k, 1]
    bound = P[f, CLIP] * np.sqrt(var)
    gain = min(max(y - mean, -bound), bound) / var
    _condition(s.C[f], s.x[f], ch, n, gain, var)
    for k in range(6):
        terms[k, 0] += _sign(f, k, row) * terms[k, 1] * gain
        terms[k, 1] -= terms[k, 1] * terms[k, 1] / var
    _keep_extras(s, f, row, terms)
    return mean, var


@_jit
def _keep_extras(s: Arrays, f: int, row: np.ndarray, terms: np.ndarray) -> None:
    for k in range(2):
        if row[2 + k] >= 0:
            s.pt_mean[f, row[k], row[2 + k]], s.pt_var[f, row[k], row[2 + k]] = terms[k]
            s.pts_mean[f, row[k], row[2 + k]], s.pts_var[f, row[k], row[2 + k]] = terms[2 + k]
    s.pair_mean[f, row[5]], s.pair_var[f, row[5]] = terms[4]
    if row[4] >= 0:
        s.stream_mean[f, row[4]], s.stream_var[f, row[4]] = terms[5]


@_jit
def learn(
    s: Arrays, P: np.ndarray, row: np.ndarray, now: int, gap: int, y: np.ndarray, only: int, ch: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Learn one result in place; out (2, 2) takes the mean and variance each filter had forecast.

    `only` is 0 or 1 to run one filter (while fitting), or NEVER for both; `y` is (margin, total) in points.
    """
    _advance(s, P, row, now, gap)
    for f in range(2):
        if only in (NEVER, f):
            out[f] = _observe(s, P, f, row, now, gap, y[f], ch)
    s.counters[LAST_BASE] = now
    s.counters[N_MATCHES] += 1
    for k in range(2):
        p, t = row[k], row[2 + k]
        s.last_player[p] = now
        s.played[p] += 1
        if t >= 0:
            s.last_team[t] = now
            s.pt_last[p, t] = now
            s.pts_session[p, t] = s.session[p]
    s.pair_last[row[5]] = now
    if row[4] >= 0:
        s.stream_last[row[4]] = now
