"""The dense covariance: C less the rank-one updates that wait, which go through it in one pass.

Writing the triangle is what a match costs most; eight updates in one pass cost little more than one (a blocked
update, Golub & Van Loan, "Matrix Computations", 1.3). Every loop is element by element, so that rows of players not
yet seen can't change a single bit. Loops over part of a row count without a sign, or numba would look for indices
from the end and could not vectorise them.
"""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import N_USED, WAITING, WAITS, Arrays
from tipoff.forecast.kernels.jit import contracted, jit


@jit
def entry(s: Arrays, f: int, i: int, j: int) -> float:
    """The covariance of the dense states i and j in filter f."""
    value = s.C[f, min(i, j), max(i, j)]
    for k in range(s.counters[WAITS + f]):
        value -= s.waiting_u[f, k, i] * s.waiting_u[f, k, j] / s.waiting_var[f, k]
    return float(value)


@jit
def times(s: Arrays, f: int, at: np.ndarray, h: np.ndarray, count: int, out: np.ndarray) -> None:
    """out = covariance times the vector that has h[k] at at[k] for k < count, over the states in use."""
    n = s.counters[N_USED]
    C = s.C[f]
    out[:n] = 0.0
    for k in range(count):
        place, weight = at[k], h[k]
        line = C[place]
        for i in range(place):
            out[i] += weight * C[i, place]
        for i in range(np.uint64(place), np.uint64(n)):
            out[i] += weight * line[i]
    for w in range(s.counters[WAITS + f]):
        u = s.waiting_u[f, w]
        dot = 0.0
        for k in range(count):
            dot += h[k] * u[at[k]]
        dot /= s.waiting_var[f, w]
        for i in range(n):
            out[i] -= dot * u[i]


@jit
def condition(s: Arrays, f: int, ch: np.ndarray, gain: float, var: float) -> None:
    """Move the means by ch * gain and take ch ch' / var off the covariance."""
    n = s.counters[N_USED]
    w = s.counters[WAITS + f]
    x, u = s.x[f], s.waiting_u[f, w]
    for i in range(n):
        x[i] += ch[i] * gain
        u[i] = ch[i]
    s.waiting_var[f, w] = var
    s.counters[WAITS + f] = w + 1
    if w + 1 == WAITING:
        _flush(s.C[f], s.waiting_u[f], s.waiting_var[f], n)
        s.counters[WAITS + f] = 0


@contracted
def _flush(C: np.ndarray, u: np.ndarray, var: np.ndarray, n: int) -> None:
    """Whole blocks of eight columns, so that nothing is left over: what is outside the triangle is never read."""
    u0, u1, u2, u3, u4, u5, u6, u7 = u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7]
    eight = np.uint64(8)
    end = (np.uint64(n) + np.uint64(7)) // eight * eight
    for i in range(np.uint64(n)):
        line = C[i]
        a0, a1, a2, a3 = u0[i] / var[0], u1[i] / var[1], u2[i] / var[2], u3[i] / var[3]
        a4, a5, a6, a7 = u4[i] / var[4], u5[i] / var[5], u6[i] / var[6], u7[i] / var[7]
        for j in range(i // eight * eight, end):
            value = line[j]
            value -= a0 * u0[j]
            value -= a1 * u1[j]
            value -= a2 * u2[j]
            value -= a3 * u3[j]
            value -= a4 * u4[j]
            value -= a5 * u5[j]
            value -= a6 * u6[j]
            value -= a7 * u7[j]
            line[j] = value


@jit
def reset(s: Arrays, at: int, variance: np.ndarray) -> None:
    """Make the dense state at `at` N(0, variance), independent of all others."""
    for f in range(2):
        s.x[f, at] = 0.0
        for i in range(at):
            s.C[f, i, at] = 0.0
        s.C[f, at, at + 1 : s.counters[N_USED]] = 0.0
        s.C[f, at, at] = variance[f]
        for k in range(s.counters[WAITS + f]):
            s.waiting_u[f, k, at] = 0.0


@jit
def new_state(s: Arrays, variance: np.ndarray) -> int:
    """The position of a new dense state N(0, variance)."""
    at = s.counters[N_USED]
    s.counters[N_USED] += 1
    reset(s, at, variance)
    return int(at)


@jit
def link(s: Arrays, new: int, known: int, f: int, variance: float) -> None:
    """Make the last state, at `new`, that at `known` plus an independent N(0, variance)."""
    s.x[f, new] = s.x[f, known]
    for i in range(new):
        s.C[f, i, new] = s.C[f, min(known, i), max(known, i)]
    s.C[f, new, new] = s.C[f, known, known] + variance
    for k in range(s.counters[WAITS + f]):
        s.waiting_u[f, k, new] = s.waiting_u[f, k, known]
