"""Drift: does a model keep what it promised when it was measured?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from tipoff.forecast.interval import wilson
from tipoff.ledger.record import Sealed, figures

DAYS = 7
MIN_MATCHES = 300
COVERAGE = 0.8
SLACK = 0.03
WATCHED = ("log_loss", "margin_inside", "total_inside")
MOST_ECE = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Drift:
    """A measure over the last days: promised, seen, its 95 % interval, and whether it has drifted away."""

    measure: str
    promised: float
    seen: float
    low: float
    high: float
    matches: int
    drifted: bool


def watch(graded: Sequence[Sealed], measured: dict[str, Any]) -> list[Drift]:
    """Compare graded forecasts of one model with its report (`measured`); empty where there are too few.

    The log loss has drifted when its whole interval lies above what was promised by more than promised
    chance (the upper end of the promise); coverage when its interval leaves out 80 % by over 3 points (that of
    the days, or Wilson's where that is wider: a few days that are alike by chance prove nothing); the calibration
    error when it exceeds 0.05.
    """
    models = measured.get("models") or []
    if len(graded) < MIN_MATCHES or not models:
        return []
    seen = figures(graded)
    promise = models[0]["measures"]
    found = []
    for name in WATCHED:
        estimate, promised = seen.measures[name], promise[name]
        if name == "log_loss":
            bound = promised["high"] if promised["high"] is not None else promised["mean"]
            drifted = math.isfinite(estimate.low) and estimate.low > bound
        else:
            low, high = wilson(estimate.mean, estimate.n)
            low, high = min(low, estimate.low) - SLACK, max(high, estimate.high) + SLACK
            drifted = math.isfinite(estimate.low) and not low <= COVERAGE <= high
        found.append(
            Drift(name, float(promised["mean"]), estimate.mean, estimate.low, estimate.high, estimate.n, drifted)
        )
    error = seen.ece or 0.0
    noise = 1.5 / math.sqrt(seen.n)
    found.append(Drift("ece", float(models[0]["ece"]), error, error, error, seen.n, error > max(MOST_ECE, noise)))
    return found
