"""Many matches through the filters: walk forward, learn a block, or score hyper-parameters."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import NEVER, Arrays
from tipoff.forecast.columns import CLIP
from tipoff.forecast.kernels.forecast import forecast
from tipoff.forecast.kernels.jit import jit
from tipoff.forecast.kernels.learn import learn, start

__all__ = ["learn_rows", "log_likelihood", "slots_needed", "start", "walk_forward"]


@jit
def slots_needed(
    last: np.ndarray, slot_of: np.ndarray, slot_player: np.ndarray, used: int, index: np.ndarray, times: np.ndarray,
    gap: int,
) -> int:  # fmt: skip
    """How many session slots there must be after these rows; the arrays are scratch, slot_player one a player."""
    for i in range(len(times)):
        for k in range(2):
            p = index[i, k]
            if last[p] == NEVER or times[i] - last[p] > gap:
                slot = slot_of[p]
                for j in range(used):
                    if slot != NEVER:
                        break
                    if times[i] - last[slot_player[j]] > gap:
                        slot = j
                        slot_of[slot_player[j]] = NEVER
                if slot == NEVER:
                    slot = used
                    used += 1
                slot_of[p], slot_player[slot], last[p] = slot, p, times[i]
        last[index[i, 0]] = last[index[i, 1]] = times[i]
    return used


@jit
def learn_rows(s: Arrays, P: np.ndarray, index: np.ndarray, times: np.ndarray, y: np.ndarray, gap: int) -> None:
    """Learn every row in order."""
    ch = np.empty(s.x.shape[1])
    out = np.empty((2, 2))
    for i in range(len(times)):
        learn(s, P, index[i], times[i], gap, y[:, i], NEVER, 0.0, ch, out)


@jit
def walk_forward(
    s: Arrays, P: np.ndarray, index: np.ndarray, times: np.ndarray, y: np.ndarray, gap: int, delay: int,
    out: np.ndarray, played: np.ndarray, position: np.ndarray,
) -> None:  # fmt: skip
    """Forecast each match from the results of matches that started at least `delay` minutes before it.

    out (2, n, 2) takes mean and variance; played (n,) the fewer matches known of the two players; position (n,) the
    mean number known of their sessions.
    """
    ch = np.empty(s.x.shape[1])
    was, made = np.empty((2, 2)), np.empty((2, 2))
    known = 0
    for i in range(len(times)):
        while known < i and times[known] <= times[i] - delay:
            learn(s, P, index[known], times[known], gap, y[:, known], NEVER, 0.0, ch, was)
            known += 1
        played[i] = min(s.played[index[i, 0]], s.played[index[i, 1]])
        position[i] = forecast(s, P, index[i], times[i], gap, made)
        out[0, i], out[1, i] = made[0], made[1]


@jit
def log_likelihood(
    s: Arrays, P: np.ndarray, index: np.ndarray, times: np.ndarray, y: np.ndarray, gap: int, only: int,
    level: np.ndarray,
) -> float:  # fmt: skip
    """One-step-ahead Gaussian log likelihood of filter `only`, in nats, summed over all rows.

    `level` (n,) is what the total's filter forecast: it is filled when that is the one that runs, else read.
    """
    ch = np.empty(s.x.shape[1])
    out = np.empty((2, 2))
    total = 0.0
    for i in range(len(times)):
        learn(s, P, index[i], times[i], gap, y[:, i], only, level[i], ch, out)
        if only == 1:
            level[i] = out[1, 0]
        error = y[only, i] - out[only, 0]
        bound = P[only, CLIP] * np.sqrt(out[only, 1])
        error = min(max(error, -bound), bound)
        total -= 0.5 * (np.log(2.0 * np.pi * out[only, 1]) + error * error / out[only, 1])
    return total
