"""What older results are worth: the filter with them beside the filter without, on the same matches.

Hyper-parameters are fitted once, without them, so that nothing else differs.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.forecaster import Forecasts
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.table import MatchTable


class WithOlder(GaussianFilter):
    """The filter that learns from everything; `older` are external ids."""

    def __init__(self, older: Set[str]) -> None:
        super().__init__()
        self.older = older

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Fit on what is not older."""
        return super().fit(table.where(newer(table, self.older)), progress)


class WithoutOlder(GaussianFilter):
    """The filter as if the older results had never been fetched, with the hyper-parameters of `other`."""

    name = "without older"

    def __init__(self, other: WithOlder) -> None:
        super().__init__()
        self.other = other

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Take over what the other has fitted."""
        self.params = self.other.params_
        return super().fit(table, progress)

    def walk(self, table: MatchTable, lead: int) -> Forecasts:
        """Forecast every match that is not older; the others have no forecast (NaN)."""
        there = newer(table, self.other.older)
        made = super().walk(table.where(there), lead)
        played = np.zeros(len(table), dtype=np.int64)
        played[there] = made.played
        p_a, margin, margin_sd, total, total_sd = (
            _spread(values, there)
            for values in (made.p_a, made.margin_mean, made.margin_sd, made.total_mean, made.total_sd)
        )
        return Forecasts(p_a, margin, margin_sd, total, total_sd, played)


def newer(table: MatchTable, older: Set[str]) -> NDArray[np.bool_]:
    """Shape (n,): which matches are not among the older ones."""
    return np.array([one not in older for one in table.ids], dtype=np.bool_)


def _spread(values: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    whole = np.full(len(there), np.nan)
    whole[there] = values
    return whole
