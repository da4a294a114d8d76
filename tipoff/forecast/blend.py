"""A model that takes prices: what a forecast and a market say, weighed by how either did before.

It is no `Forecaster` and has no parameters that a model file could hold: the model whose record claims independence
from prices can never be this one. The idea is Bates & Granger, "The Combination of Forecasts", OR 1969.
"""

from __future__ import annotations

import dataclasses
from typing import Self

import numpy as np

from tipoff.forecast.forecaster import F64
from tipoff.forecast.normal import ndtri

TRUST, DOUBT = 0.5, 0.25
"""each weight's prior mean and deviation: half of each, and a dozen matches change little"""
STEPS, LONGEST_STEP = 50, 0.5
SURE = 1e-3
"""no side is believed to be surer of itself than that"""
FAR = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Views:
    """What forecast and market said of n markets, as arrays of shape (n,): P(over), and the mean in points."""

    model_p: F64
    market_p: F64
    model_mean: F64
    market_mean: F64
    sd: F64
    """the forecast's deviation of what the market is about, in points"""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of them, shape (n,): the value in points, and its distance from the line (0: a push)."""

    value: F64
    beyond: F64


class MarketBlend:
    """A logistic blend of both probabilities and a linear one of both means, kept near one half of each."""

    name = "model and market"
    takes_prices = True

    def __init__(self, trust: float = TRUST, doubt: float = DOUBT) -> None:
        self.trust = trust
        self.doubt = doubt

    def fit(self, views: Views, outcomes: Outcomes) -> Self:
        """Learn `weights_` (model, market) and `share_` (of the model in the mean); without lessons the prior."""
        decided = outcomes.beyond != 0
        X = np.stack([_logit(views.model_p[decided]), _logit(views.market_p[decided])], axis=1)
        self.weights_ = self._weights(X, outcomes.beyond[decided] > 0)
        apart = (views.model_mean - views.market_mean) / views.sd
        left = (outcomes.value - views.market_mean) / views.sd
        ridge = self.doubt**-2
        self.share_ = float((apart @ left + ridge * self.trust) / (apart @ apart + ridge))
        return self

    def p_over(self, views: Views) -> F64:
        """P(over), a push left out."""
        both = np.stack([_logit(views.model_p), _logit(views.market_p)], axis=1)
        return _logistic(both @ self.weights_)

    def mean(self, views: Views) -> F64:
        """The mean in points."""
        return views.market_mean + self.share_ * (views.model_mean - views.market_mean)

    def _weights(self, X: F64, over: np.ndarray) -> F64:
        """Maximum a posteriori by Newton's method, with steps that cannot run away."""
        prior, ridge = np.full(2, self.trust), np.eye(2) / self.doubt**2
        weights = prior.copy()
        for _ in range(STEPS):
            p = _logistic(X @ weights)
            step = np.linalg.solve(
                X.T @ (X * (p * (1 - p))[:, None]) + ridge, X.T @ (over - p) - ridge @ (weights - prior)
            )
            longest = float(np.abs(step).max())
            weights = weights + step * min(1.0, LONGEST_STEP / max(longest, FAR))
            if longest < FAR:
                break
        return weights


def implied_mean(p_over: float, line: float, sd: float) -> float:
    """The mean in points at which a Gaussian of that deviation goes over `line` with probability `p_over`."""
    return line + sd * ndtri(min(max(p_over, FAR), 1 - FAR))


def _logit(p: F64) -> F64:
    inside = np.clip(p, SURE, 1 - SURE)
    return np.asarray(np.log(inside / (1 - inside)))


def _logistic(x: F64) -> F64:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
