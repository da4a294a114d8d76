"""From a margin and a total to both scores: one joint distribution, and every market read from it.

The total T and, given T, the margin M are Gaussians binned to the integers of the right parity; a draw
cannot stand, so within each total the tied mass goes to the two sides in proportion.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from tipoff.errors import InputError
from tipoff.forecast.normal import ndtr, ndtri

F64 = NDArray[np.float64]
MAX_TOTAL = 500
"""totals above that many points are not modelled"""


def win_probability(margin_mean: F64, margin_sd: F64) -> F64:
    """P(side A wins), element by element, ties resolved in proportion.

    Odd totals cannot tie; even ones leave out the margins that round to 0. Both are equally likely to
    within 1e-9 for the spreads of this game.
    """
    odd = ndtr(margin_mean / margin_sd)
    above, below = ndtr((margin_mean - 1) / margin_sd), ndtr((-1 - margin_mean) / margin_sd)
    both = above + below
    even = np.where(both > 0, above / np.where(both > 0, both, 1), margin_mean > 0)
    return np.asarray(0.5 * odd + 0.5 * even)


@dataclasses.dataclass(frozen=True)
class Line:
    """A market at a line: probabilities that it is beaten, met exactly (a push) and missed; they sum to 1."""

    over: float
    push: float
    under: float

    @property
    def fair_over(self) -> float:
        """Fair decimal odds of over, a push returning the stake; infinite where it cannot happen."""
        return np.inf if self.over == 0 else (self.over + self.under) / self.over

    @property
    def fair_under(self) -> float:
        """Fair decimal odds of under, a push returning the stake."""
        return np.inf if self.under == 0 else (self.over + self.under) / self.under


@dataclasses.dataclass(frozen=True)
class ScoreDistribution:
    """The forecast of one match: Gaussian margin (A - B) and total (A + B), in points."""

    margin_mean: float
    margin_sd: float
    total_mean: float
    total_sd: float

    def __post_init__(self) -> None:
        values = (self.margin_mean, self.margin_sd, self.total_mean, self.total_sd)
        if not all(np.isfinite(values)) or self.margin_sd <= 0 or self.total_sd <= 0:
            raise InputError(f"a forecast needs finite means and positive deviations, got {values}")

    @property
    def p_a(self) -> float:
        """P(side A wins)."""
        return float(win_probability(np.array(self.margin_mean), np.array(self.margin_sd)))

    @property
    def mean_a(self) -> float:
        """Expected points of side A."""
        return (self.total_mean + self.margin_mean) / 2

    @property
    def mean_b(self) -> float:
        """Expected points of side B."""
        return (self.total_mean - self.margin_mean) / 2

    def total_interval(self, coverage: float = 0.8) -> tuple[float, float]:
        """The central interval of the total, in points."""
        half = ndtri(0.5 + coverage / 2) * self.total_sd
        return self.total_mean - half, self.total_mean + half

    @functools.cached_property
    def joint(self) -> F64:
        """Shape (n, n): P(A = a, B = b); zero on the diagonal, sums to 1."""
        totals = np.arange(MAX_TOTAL + 1)
        mass = _mass(totals, self.total_mean, self.total_sd, 0.5)
        mass[0] = 0.0
        margins = np.arange(-MAX_TOTAL, MAX_TOTAL + 1)
        weight = _mass(margins, self.margin_mean, self.margin_sd, 1.0)
        weight[MAX_TOTAL] = 0.0
        within = _within(weight)
        mass[(mass <= 1e-12) | (within <= 0)] = 0.0
        if mass.sum() <= 0:
            raise InputError(f"the forecast {self} lies outside the scores that can happen")
        size = int(np.max(np.nonzero(mass))) + 1
        total, margin = _grids(size)
        share = np.divide(mass, within, out=np.zeros_like(mass), where=within > 0)
        joint = np.where(total <= MAX_TOTAL, share[np.minimum(total, MAX_TOTAL)], 0.0) * weight[margin + MAX_TOTAL]
        return np.asarray(joint / joint.sum())

    @functools.cached_property
    def marginals(self) -> dict[str, tuple[NDArray[np.int64], F64]]:
        """Values and probabilities of "total", "margin" (A - B), "a" and "b", each from the joint distribution."""
        n = len(self.joint)
        total, margin = _grids(n)
        weights, each = self.joint.ravel(), np.arange(n)
        return {
            "total": (np.arange(2 * n - 1), np.bincount(total.ravel(), weights)),
            "margin": (np.arange(1 - n, n), np.bincount(margin.ravel() + n - 1, weights)),
            "a": (each, self.joint.sum(axis=1)),
            "b": (each, self.joint.sum(axis=0)),
        }

    def total(self, line: float) -> Line:
        """Total points over or under `line`."""
        return self._line("total", line)

    def spread(self, handicap: float) -> Line:
        """Side A with `handicap` points added to its score; over means that A covers."""
        return self._line("margin", -handicap)

    def team_total(self, side: str, line: float) -> Line:
        """Points of side "a" or "b" over or under `line`."""
        if side not in ("a", "b"):
            raise InputError(f"a side is 'a' or 'b', got {side!r}")
        return self._line(side, line)

    def _line(self, what: str, line: float) -> Line:
        if not np.isfinite(line) or line * 2 != round(line * 2):
            raise InputError(f"a line is a whole or a half number of points, got {line!r}")
        values, mass = self.marginals[what]
        over, push = float(mass[values > line].sum()), float(mass[values == line].sum())
        return Line(over, push, max(0.0, 1.0 - over - push))


def _mass(values: NDArray[np.int64], mean: float, sd: float, half: float) -> F64:
    """Probability that N(mean, sd) lies within `half` of each value."""
    return np.asarray(ndtr((values + half - mean) / sd) - ndtr((values - half - mean) / sd))


def _within(weight: F64) -> F64:
    """For each total the weight of the margins of its parity that it allows; `weight` is centred on margin 0."""
    middle = len(weight) // 2
    both = weight[middle:] + weight[middle::-1]
    both[0] = weight[middle]
    sums = np.zeros(middle + 1)
    for parity in (0, 1):
        sums[parity::2] = np.cumsum(both[parity::2])
    return sums


@functools.lru_cache(maxsize=64)
def _grids(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Total and margin of each cell of a joint distribution of that size."""
    a, b = np.indices((size, size))
    return a + b, a - b
