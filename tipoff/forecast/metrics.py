"""Scores of forecasts against results, match by match and summed up.

Proper scores after Gneiting & Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation" (JASA
2007); the closed form of the Gaussian CRPS is their equation 21.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from tipoff.forecast.forecaster import F64, Forecasts

BINS = 10
COVERAGE = 0.8
COLD_START = 20
"""a forecast is a cold start while either player has fewer known matches"""


@dataclasses.dataclass(frozen=True, slots=True)
class Scores:
    """Per-match scores, arrays of shape (n,); lower is better except `hit` and the two `inside`."""

    log_loss: F64
    brier: F64
    hit: F64
    margin_error: F64
    total_error: F64
    margin_crps: F64
    total_crps: F64
    margin_log_score: F64
    total_log_score: F64
    margin_inside: F64
    total_inside: F64
    over_log_loss: F64
    cold: NDArray[np.bool_]


def crps_gaussian(y: F64, mean: F64, sd: F64) -> F64:
    """Continuous ranked probability score of N(mean, sd) at y, in the units of y."""
    z = (y - mean) / sd
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return np.asarray(sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)))


def log_score_gaussian(y: F64, mean: F64, sd: F64) -> F64:
    """Negative logarithm of the density of N(mean, sd) at y, in nats: quicker than the CRPS to see a wrong width."""
    z = (y - mean) / sd
    return np.asarray(0.5 * z * z + np.log(sd) + 0.5 * np.log(2 * np.pi))


def score(forecasts: Forecasts, margin: F64, total: F64) -> Scores:
    """Score n forecasts against the margins and totals (points) that came."""
    won = margin > 0
    p = np.clip(forecasts.p_a, 1e-12, 1 - 1e-12)
    half = float(ndtri(0.5 + COVERAGE / 2))
    line = np.floor(forecasts.total_mean) + 0.5
    over = np.clip(ndtr((forecasts.total_mean - line) / forecasts.total_sd), 1e-12, 1 - 1e-12)
    return Scores(
        log_loss=-np.log(np.where(won, p, 1 - p)),
        brier=(p - won) ** 2,
        hit=np.where(p == 0.5, 0.5, (p > 0.5) == won).astype(np.float64),
        margin_error=np.abs(margin - forecasts.margin_mean),
        total_error=np.abs(total - forecasts.total_mean),
        margin_crps=crps_gaussian(margin, forecasts.margin_mean, forecasts.margin_sd),
        total_crps=crps_gaussian(total, forecasts.total_mean, forecasts.total_sd),
        margin_log_score=log_score_gaussian(margin, forecasts.margin_mean, forecasts.margin_sd),
        total_log_score=log_score_gaussian(total, forecasts.total_mean, forecasts.total_sd),
        margin_inside=(np.abs(margin - forecasts.margin_mean) <= half * forecasts.margin_sd).astype(np.float64),
        total_inside=(np.abs(total - forecasts.total_mean) <= half * forecasts.total_sd).astype(np.float64),
        over_log_loss=-np.log(np.where(total > line, over, 1 - over)),
        cold=forecasts.played < COLD_START,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Forecasts between two probabilities: how many, what they said on average, what came."""

    low: float
    high: float
    n: int
    mean_forecast: float | None
    share_won: float | None


def calibration_bins(p: F64, won: NDArray[np.bool_]) -> list[CalibrationBin]:
    """BINS equal bins over [0, 1]; empty ones have no means."""
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = []
    for i in range(BINS):
        inside = which == i
        n = int(inside.sum())
        means = (float(p[inside].mean()), float(won[inside].mean())) if n else (None, None)
        bins.append(CalibrationBin(i / BINS, (i + 1) / BINS, n, *means))
    return bins


def ece(bins: list[CalibrationBin]) -> float:
    """Expected calibration error: the mean gap of the bins, weighted by their counts."""
    n = sum(b.n for b in bins)
    gaps = (b.n * abs((b.mean_forecast or 0.0) - (b.share_won or 0.0)) for b in bins)
    return sum(gaps) / n if n else float("nan")


def calibration_slope(p: F64, won: NDArray[np.bool_]) -> float:
    """Slope of the logistic regression of the outcome on logit p (Cox 1958); 1 is calibrated."""
    x = logit(np.clip(p, 1e-9, 1 - 1e-9))
    if float(np.std(x)) < 1e-9:
        return float("nan")
    X, beta = np.stack([np.ones_like(x), x], axis=1), np.array([0.0, 1.0])
    for _ in range(25):
        q = expit(X @ beta)
        hessian = (X * (q * (1 - q))[:, None]).T @ X
        beta = beta + np.linalg.solve(hessian + 1e-9 * np.eye(2), X.T @ (won - q))
    return float(beta[1])
