"""Many matches through the filters: learned one after the other, or forecast and learned as they become knowable.

One function for both, because what it is made of is compiled again into every function that calls it.
"""

from __future__ import annotations

import numpy as np

from tipoff.forecast.arrays import LAST, NEVER, PLAYED, SLOT, Arrays
from tipoff.forecast.kernels.forecast import forecast
from tipoff.forecast.kernels.jit import jit
from tipoff.forecast.kernels.learn import learn, start

__all__ = ["slots_needed", "start", "walk"]


@jit
def slots_needed(
    players: np.ndarray, slot_player: np.ndarray, used: int, index: np.ndarray, times: np.ndarray, gap: int
) -> int:
    """How many session slots there must be after these rows; the arrays are scratch, slot_player one a player."""
    last, slot_of = players[:, LAST], players[:, SLOT]
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
def walk(
    s: Arrays, P: np.ndarray, index: np.ndarray, times: np.ndarray, y: np.ndarray, gap: int, only: int, delay: int,
    level: np.ndarray, out: np.ndarray, played: np.ndarray, position: np.ndarray,
) -> None:  # fmt: skip
    """Learn every row in order, or forecast every row and learn what is knowable before it.

    Without a delay (NEVER) every row is learned; out (n, 2, 2) takes the mean and variance that each filter had
    forecast of it, one step ahead. `only` is 0 or 1 to run one filter, NEVER for both; the margin's filter alone
    reads `level` (n,), the totals that were forecast.

    With a delay in minutes each match is forecast from the results of matches that started at least that long before
    it; out takes those forecasts, played (n,) the fewer matches known of the two players, position (n,) the mean
    number known of their sessions.
    """
    ch = np.empty(s.x.shape[1])
    was = np.empty((2, 2))
    known = 0
    for i in range(len(times)):
        until = i
        if delay == NEVER:
            until = i + 1
        while known < until and (delay == NEVER or times[known] <= times[i] - delay):
            total = level[known] if only == 0 else 0.0
            learn(s, P, index[known], times[known], gap, y[:, known], only, total, ch, was)
            known += 1
        if delay == NEVER:
            out[i] = was
        else:
            played[i] = min(s.players[index[i, 0], PLAYED], s.players[index[i, 1], PLAYED])
            position[i] = forecast(s, P, index[i], times[i], gap, out[i])
