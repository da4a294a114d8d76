"""The full-covariance Gaussian filter as a forecaster (Kalman 1960; Herbrich et al. 2007 for the idea)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.distribution import win_probability
from tipoff.forecast.fit import FitResult, fit_params, never
from tipoff.forecast.forecaster import RESULT_DELAY, Forecasts
from tipoff.forecast.params import BUILT_IN, Params
from tipoff.forecast.state import empty_arrays
from tipoff.forecast.table import MatchTable
from tipoff.forecast.walking import walk_table


class GaussianFilter:
    """Margin and total by two full-covariance filters; `params` fixes hyper-parameters instead of fitting.

    `base` is where a fit begins from and names the additions. Matches of players with fewer than `min_matches` of
    them are left out of the fit; `enough` ends it early (as in `fit_params`), with the best found so far.
    """

    name = "filter"

    def __init__(
        self, params: Params | None = None, start: Params | None = None, min_matches: int = 1,
        enough: Callable[[float], bool] = never, base: Params = BUILT_IN,
    ) -> None:  # fmt: skip
        self.params = params
        self.base = base
        self.start = start
        self.min_matches = min_matches
        self.enough = enough

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Fit `params_` on `table` unless they were given; `fits_` says how each search went."""
        self.fits_: list[FitResult] = []
        if self.params is not None:
            self.params_ = self.params
        else:
            self.params_, self.fits_ = fit_params(
                self._fitted_on(table), self.start, progress, self.enough, self.base
            )
        return self

    def _fitted_on(self, table: MatchTable) -> MatchTable:
        if self.min_matches <= 1:
            return table
        counts = np.bincount(table.index[:, :2].ravel(), minlength=len(table.roster.players))
        often = counts[table.index[:, :2]] >= self.min_matches
        return table.where(often[:, 0] & often[:, 1])

    def walk(self, table: MatchTable, lead: int) -> Forecasts:
        """Forecast every match of `table` from results knowable `lead` minutes before its start."""
        made = empty_arrays(table, self.params_)
        P, gap = self.params_.as_array(), self.params_.session_gap
        out, played, position = walk_table(made, P, table, gap, lead + RESULT_DELAY)
        mean, sd = out[:, :, 0].T, np.sqrt(out[:, :, 1]).T
        return Forecasts(win_probability(mean[0], sd[0]), mean[0], sd[0], mean[1], sd[1], played, position)
