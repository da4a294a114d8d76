"""Probability integral transforms: whether results fall into forecast distributions as often as these say.

The histogram for whole numbers is Czado, Gneiting & Held, "Predictive Model Assessment for Count Data" (Biometrics
2009): each result spreads over the probabilities of its own point. The test is Pearson's chi-square divided by the
design effect of days (Rao & Scott, JASA 1981), as matches of one day share players and form.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr

from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.forecaster import F64

BINS = 10
TINY = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Pit:
    """Where results fell in their forecast distributions, in tenths of probability and in standard deviations."""

    bins: list[float]
    """share of results in each tenth; a tenth each where the forecasts are right"""
    z_mean: Estimate
    """mean of (result - mean) / deviation; 0 where the means are right"""
    z_square: Estimate
    """mean of its square; 1 where the deviations are right, more where they are too small"""
    p_uniform: float
    """probability of a histogram this uneven where the forecasts are right; NaN with fewer days than bins"""


def pit(y: F64, mean: F64, sd: F64, days: NDArray[np.int64]) -> Pit:
    """Of whole results `y` (n,) under N(mean, sd), in points, on these days."""
    z = (y - mean) / sd
    spread = spread_over_bins(y, mean, sd)
    shares = spread.mean(axis=0) if len(y) else np.full(BINS, np.nan)
    return Pit(shares.tolist(), day_block_mean(z, days), day_block_mean(z * z, days), _p_uniform(spread, days))


def spread_over_bins(y: F64, mean: F64, sd: F64) -> F64:
    """Shape (n, BINS): how much of each whole result falls into each tenth; rows sum to 1."""
    low = np.minimum(ndtr((y - 0.5 - mean) / sd), 1 - TINY)
    high = np.maximum(ndtr((y + 0.5 - mean) / sd), low + TINY)
    edges = np.linspace(0, 1, BINS + 1)
    edges[-1] += TINY
    below = np.clip((edges - low[:, None]) / (high - low)[:, None], 0, 1)
    return np.diff(below, axis=1)


def _p_uniform(spread: F64, days: NDArray[np.int64]) -> float:
    n, expected = len(spread), 1 / BINS
    _, day = np.unique(days, return_inverse=True)
    blocks = int(day.max()) + 1 if n else 0
    if blocks < BINS:
        return float("nan")
    by_day = np.zeros((blocks, BINS))
    np.add.at(by_day, day, spread - spread.mean(axis=0))
    variance = (by_day**2).sum(axis=0) * blocks / (blocks - 1) / n
    effect = float(variance.sum() / (1 - expected))
    pearson = n * float(((spread.mean(axis=0) - expected) ** 2).sum()) / expected
    return float(chdtrc(BINS - 1, pearson / effect)) if effect > 0 else float("nan")
