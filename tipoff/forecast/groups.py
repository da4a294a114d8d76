"""Whether the uncertainty is right for whom: forecasts grouped by what was known when they were made."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.forecaster import F64, Forecasts
from tipoff.forecast.metrics import crps_gaussian, score
from tipoff.forecast.pit import Pit, pit

Mask = NDArray[np.bool_]
EXPERIENCE = (5, 20, 100)
"""bounds of the fewer matches known of the two"""
POSITION = (1, 5, 10)
"""bounds of the mean number of matches that the two have played in their sessions"""


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """How the forecast distributions of one quantity did: CRPS in points, share inside 80 % intervals, PIT."""

    crps: Estimate
    inside: Estimate
    pit: Pit


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """n matches that have something in common."""

    name: str
    n: int
    log_loss: Estimate
    margin: Spread
    total: Spread


def groups(made: Forecasts, margin: F64, total: F64, days: NDArray[np.int64]) -> dict[str, list[Group]]:
    """Groups of n forecasts, against the margins and totals (points) that came.

    By "experience", "level" (thirds of the forecast totals) and "position" in the session; groups without a match are
    left out. Intervals resample days.
    """
    scores = score(made, margin, total)

    def group(name: str, mask: Mask) -> Group:
        sides = (
            Spread(
                day_block_mean(crps_gaussian(y[mask], mean[mask], sd[mask]), days[mask]),
                day_block_mean(inside[mask], days[mask]), pit(y[mask], mean[mask], sd[mask], days[mask]),
            )
            for y, mean, sd, inside in (
                (margin, made.margin_mean, made.margin_sd, scores.margin_inside),
                (total, made.total_mean, made.total_sd, scores.total_inside),
            )
        )  # fmt: skip
        return Group(name, int(mask.sum()), day_block_mean(scores.log_loss[mask], days[mask]), *sides)

    thirds = np.quantile(made.total_mean, [1 / 3, 2 / 3]).tolist() if len(days) else []
    kinds = {
        "experience": _ranges(made.played.astype(np.float64), EXPERIENCE),
        "level": _ranges(made.total_mean, thirds, ".1f"), "position": _ranges(made.position, POSITION),
    }  # fmt: skip
    return {kind: [group(name, mask) for name, mask in masks if mask.any()] for kind, masks in kinds.items()}


def _ranges(values: F64, bounds: Sequence[float], form: str = ".0f") -> Iterator[tuple[str, Mask]]:
    """Names and masks of what lies below the first bound, from each to below the next, and from the last on."""
    for low, high in itertools.pairwise((-np.inf, *bounds, np.inf)):
        name = f"{low:{form}} to under {high:{form}}" if low > -np.inf else f"under {high:{form}}"
        yield name if high < np.inf else f"{low:{form}} or more", (values >= low) & (values < high)
