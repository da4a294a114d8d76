"""What is not known of newcomers' prior variance, carried into a forecast.

A newcomer's strength begins as the first opponent's plus d ~ N(0, v), and v, from few newcomers, is known to a factor
alone: ln v ~ N(., tau^2). The filter goes on as if v were right. For another value v' the posterior of d is that of v
weighted by N(d; 0, v') / N(d; 0, v), a Gaussian again with moments in closed form, and its weight is the likelihood
of what the newcomer has shown. Summed over three nodes of Gauss and Hermite it is a mixture (a t-like prior, as in
Andrews & Mallows, "Scale Mixtures of Normal Distributions", JRSS B 1974), given back as mean and variance.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
NODES, WEIGHTS = (-np.sqrt(3.0), 0.0, np.sqrt(3.0)), (1 / 6, 2 / 3, 1 / 6)


@dataclasses.dataclass(frozen=True, slots=True)
class Links:
    """How n forecasts lean on newcomers' priors; arrays of shape (n, 2), a column for each side.

    `prior` is v in points squared; 0 where that side is no newcomer.
    """

    mean: F64
    """of d given all results, in points"""
    variance: F64
    """of d given all results; v while nothing is known"""
    covariance: F64
    """of d with the forecast quantity"""
    prior: F64


def link(x: F64, C: F64, h: F64) -> tuple[float, float, float]:
    """Mean and variance of d, and its covariance with the forecast, from the filter's states.

    `x` (k + 2,) and `C` (k + 2, k + 2): mean and covariance of the newcomer's strength, that of the first opponent,
    and the k states that enter the forecast with weights `h` (k,).
    """
    row = C[0] - C[1]
    return float(x[0] - x[1]), float(row[0] - row[1]), float(row[2:] @ h)


def carried(mean: F64, variance: F64, links: Links, tau: float) -> tuple[F64, F64]:
    """Mean and variance of n forecasts (n,) with what is not known of v; unchanged where nobody is a newcomer.

    The two sides' d are taken for independent. Of a d that time has made less certain than its prior, only the share
    that is the prior's is weighted.
    """
    mean, variance = mean.copy(), variance.copy()
    row, side = np.nonzero(links.prior > 0)
    if not len(row) or tau == 0:
        return mean, variance
    d, u, c, v = (part[row, side] for part in (links.mean, links.variance, links.covariance, links.prior))
    share = v / np.maximum(u, v)
    d, u, c = share * d, share * u, share * c
    a = (np.exp(-tau * np.array(NODES))[:, None] - 1) / v
    left = 1 + a * u
    shift, less = -c * a * d / left, c * c * a / left
    logs = np.log(WEIGHTS)[:, None] - 0.5 * (tau * np.array(NODES)[:, None] + np.log(left) + a * d * d / left)
    weight = np.exp(logs - logs.max(axis=0))
    weight /= weight.sum(axis=0)
    middle = (weight * shift).sum(axis=0)
    np.add.at(mean, row, middle)
    np.add.at(variance, row, (weight * ((shift - middle) ** 2 - less)).sum(axis=0))
    return mean, variance
