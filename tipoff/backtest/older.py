"""What older results are worth: the filter with them beside the filter without, on the same matches.

Hyper-parameters are fitted once, without them, so that nothing else differs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.forecaster import Forecasts
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.params import BUILT_IN, Params
from tipoff.forecast.table import MatchTable


class WithOlder(GaussianFilter):
    """The filter that learns from everything; `older` are external ids, `base` as of the filter."""

    def __init__(self, older: Set[str], base: Params = BUILT_IN) -> None:
        super().__init__(base=base)
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
        return Forecasts(**{f.name: _spread(getattr(made, f.name), there) for f in dataclasses.fields(made)})


def newer(table: MatchTable, older: Set[str]) -> NDArray[np.bool_]:
    """Shape (n,): which matches are not among the older ones."""
    return np.array([one not in older for one in table.ids], dtype=np.bool_)


def _spread(values: NDArray[Any], there: NDArray[np.bool_]) -> NDArray[Any]:
    whole = np.full(len(there), np.nan if values.dtype == np.float64 else 0, dtype=values.dtype)
    whole[there] = values
    return whole
