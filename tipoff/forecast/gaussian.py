"""The full-covariance Gaussian filter as a forecaster (Kalman 1960; Herbrich et al. 2007 for the idea)."""

from __future__ import annotations

from typing import Self

import numpy as np

from tipoff.forecast.distribution import win_probability
from tipoff.forecast.fit import FitResult, Progress, fit_params, quiet
from tipoff.forecast.forecaster import RESULT_DELAY, Forecasts
from tipoff.forecast.kernels import walk
from tipoff.forecast.params import Params
from tipoff.forecast.state import empty_arrays
from tipoff.forecast.table import MatchTable


class GaussianFilter:
    """Margin and total by two full-covariance filters; `params` fixes hyper-parameters instead of fitting."""

    name = "filter"

    def __init__(self, params: Params | None = None, start: Params | None = None) -> None:
        self.params = params
        self.start = start

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Fit `params_` on `table` unless they were given; `fits_` says how each search went."""
        self.fits_: list[FitResult] = []
        if self.params is not None:
            self.params_ = self.params
        else:
            self.params_, self.fits_ = fit_params(table, self.start, progress)
        return self

    def walk(self, table: MatchTable, lead: int) -> Forecasts:
        """Forecast every match of `table` from results knowable `lead` minutes before its start."""
        out = np.empty((2, len(table), 2))
        played = np.empty(len(table), dtype=np.int64)
        walk.walk_forward(
            empty_arrays(table, self.params_), self.params_.as_array(), table.index, table.start,
            table.observed, self.params_.session_gap, lead + RESULT_DELAY, out, played,
        )  # fmt: skip
        sd = np.sqrt(out[:, :, 1])
        return Forecasts(win_probability(out[0, :, 0], sd[0]), out[0, :, 0], sd[0], out[1, :, 0], sd[1], played)
