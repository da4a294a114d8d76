"""What every forecaster looks like, from the constant to the filter."""

from __future__ import annotations

import dataclasses
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.table import MatchTable

F64 = NDArray[np.float64]
RESULT_DELAY = 30
"""minutes from a match's start until its result is knowable"""


@dataclasses.dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts of n matches as arrays of shape (n,); means and deviations in points."""

    p_a: F64
    margin_mean: F64
    margin_sd: F64
    total_mean: F64
    total_sd: F64
    played: NDArray[np.int64]
    """the fewer matches known of the two players when the forecast was made"""
    position: F64
    """mean number of matches that the two had played in their sessions, from results known then"""

    def slice(self, begin: int, end: int) -> Forecasts:
        """Forecasts begin to end (exclusive)."""
        return Forecasts(*(getattr(self, field.name)[begin:end] for field in dataclasses.fields(self)))


class Forecaster(Protocol):
    """Learns hyper-parameters from an earlier window, then walks forward."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Learn hyper-parameters (fitted attributes end in _) from `table`; returns self."""
        ...

    def walk(self, table: MatchTable, lead: int) -> Forecasts:
        """Forecast every match of `table` from what was knowable `lead` minutes before its start."""
        ...
