"""Many matches through the filters: walk forward, learn a block, or score hyper-parameters."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import NEVER, Arrays
from tipoff.forecast.kernels.filter import _jit, forecast, learn, start

__all__ = ["learn_rows", "log_likelihood", "start", "walk_forward"]


@_jit
def learn_rows(s: Arrays, P: np.ndarray, index: np.ndarray, times: np.ndarray, y: np.ndarray, gap: int) -> None:
    """Learn every row in order."""
    ch = np.empty(s.x.shape[1])
    out = np.empty((2, 2))
    for i in range(len(times)):
        learn(s, P, index[i], times[i], gap, y[:, i], NEVER, ch, out)


@_jit
def walk_forward(
    s: Arrays, P: np.ndarray, index: np.ndarray, times: np.ndarray, y: np.ndarray, gap: int, delay: int,
    out: np.ndarray, played: np.ndarray,
) -> None:  # fmt: skip
    """Forecast each match from the results of matches that started at least `delay` minutes before it.

    out (2, n, 2) takes mean and variance; played (n,) the fewer matches known of the two players.
    """
    ch = np.empty(s.x.shape[1])
    was = np.empty((2, 2))
    known = 0
    for i in range(len(times)):
        while known < i and times[known] <= times[i] - delay:
            learn(s, P, index[known], times[known], gap, y[:, known], NEVER, ch, was)
            known += 1
        played[i] = min(s.played[index[i, 0]], s.played[index[i, 1]])
        for f in range(2):
            out[f, i] = forecast(s, P, f, index[i], times[i], gap)


@_jit
def log_likelihood(
    s: Arrays, P: np.ndarray, index: np.ndarray, times: np.ndarray, y: np.ndarray, gap: int, only: int
) -> float:
    """One-step-ahead Gaussian log likelihood of filter `only`, in nats, summed over all rows."""
    ch = np.empty(s.x.shape[1])
    out = np.empty((2, 2))
    total = 0.0
    for i in range(len(times)):
        learn(s, P, index[i], times[i], gap, y[:, i], only, ch, out)
        error = y[only, i] - out[only, 0]
        bound = P[only, 8] * np.sqrt(out[only, 1])
        error = min(max(error, -bound), bound)
        total -= 0.5 * (np.log(2.0 * np.pi * out[only, 1]) + error * error / out[only, 1])
    return total
