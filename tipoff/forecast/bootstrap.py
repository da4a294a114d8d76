"""Intervals by resampling whole days, since matches of one day share players and form.

Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 8 on blocks; percentile intervals, ch. 13.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
SEED = 20260705


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval over n matches."""

    mean: float
    low: float
    high: float
    n: int


def day_block_mean(values: NDArray[np.float64], days: NDArray[np.int64]) -> Estimate:
    """Mean of `values` (one a match) with the interval from resampling the days they fall on.

    With fewer than two days there is no interval: both ends are NaN.
    """
    n = len(values)
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    _, block = np.unique(days, return_inverse=True)
    blocks = int(block.max()) + 1
    sums, counts = np.bincount(block, weights=values), np.bincount(block)
    mean = float(values.mean())
    if blocks < 2:
        return Estimate(mean, float("nan"), float("nan"), n)
    drawn = np.random.default_rng(SEED).integers(0, blocks, size=(DRAWS, blocks))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(mean, float(low), float(high), n)
