"""Bradley-Terry with decay over players and teams, refitted each day (Bradley & Terry, Biometrika 1952).

The winner by ridge logistic regression, margin and total by ridge regression on the same design.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse
from scipy.special import expit

from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.baselines.constant import known_before, played_before
from tipoff.forecast.forecaster import F64, RESULT_DELAY, Forecasts
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.position import positions
from tipoff.forecast.table import MatchTable

DAY = 1440
HALF_LIFE = 20.0
"""days after which a match counts half"""
NEWTON_STEPS = 4


class BradleyTerry:
    """Players and teams, exponentially forgotten; the ridge is chosen on the fit window by log loss."""

    name = "Bradley-Terry with teams"
    ridges = (0.5, 2.0, 8.0)

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Choose the ridge by walking through the second half of the window."""
        half = len(table) // 2
        won = table.observed[0] > 0
        losses = []
        for i, ridge in enumerate(self.ridges):
            self.ridge_, self.margin_sd_, self.total_sd_ = ridge, 1.0, 1.0
            f = self.walk(table, 2, first=half)
            losses.append(float(-np.mean(np.log(np.where(won, f.p_a, 1 - f.p_a)[half:]))))
            progress((i + 1) / (len(self.ridges) + 1), f"fitting {self.name}")
        self.ridge_ = self.ridges[int(np.argmin(losses))]
        f = self.walk(table, 2, first=half)
        self.margin_sd_ = float(np.std((table.observed[0] - f.margin_mean)[half:]))
        self.total_sd_ = float(np.std((table.observed[1] - f.total_mean)[half:]))
        progress(1.0, f"fitted {self.name}")
        return self

    def walk(self, table: MatchTable, lead: int, first: int = 0) -> Forecasts:
        """Forecast every match (from number `first` on) by the fit made at the start of its UTC day."""
        n = len(table)
        p, margin, total = np.full(n, 0.5), np.zeros(n), np.full(n, float(table.observed[1][:1].sum()))
        days = table.start // DAY
        signed, plain = self._designs(table)
        for day in np.unique(days[first:]):
            rows = np.flatnonzero(days == day)
            known = int(np.searchsorted(table.start, day * DAY - lead - RESULT_DELAY, side="right"))
            if known == 0:
                continue
            age = (day * DAY - table.start[:known]) / DAY
            weight = 0.5 ** (age / HALF_LIFE)
            p[rows] = expit(signed[rows] @ self._logistic(signed[:known], table.observed[0][:known] > 0, weight))
            margin[rows] = signed[rows] @ self._ridge(signed[:known], table.observed[0][:known], weight, 20.0)
            mean = float(np.average(table.observed[1][:known], weights=weight))
            total[rows] = mean + plain[rows] @ self._ridge(
                plain[:known], table.observed[1][:known] - mean, weight, 20.0
            )
        return Forecasts(
            p, margin, np.full(n, self.margin_sd_), total, np.full(n, self.total_sd_),
            played_before(table, known_before(table, lead)), positions(table, lead, BUILT_IN.session_gap),
        )  # fmt: skip

    def _designs(self, table: MatchTable) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Signed (A less B) and plain (A plus B) designs over players and then teams."""
        n, players = len(table), len(table.roster.players)
        known = table.index[:, 2:4] >= 0
        columns = np.concatenate([table.index[:, 0:2], np.where(known, table.index[:, 2:4] + players, 0)], axis=1)
        values = np.concatenate([np.ones((n, 2)), known.astype(float)], axis=1)
        shape = (n, players + len(table.roster.teams))
        rows = np.repeat(np.arange(n), 4)
        sign = np.array([1.0, -1.0, 1.0, -1.0])
        return (
            sparse.csr_array(((values * sign).ravel(), (rows, columns.ravel())), shape=shape),
            sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=shape),
        )

    def _logistic(self, X: sparse.csr_array, won: np.ndarray, weight: F64) -> F64:
        beta = np.zeros(X.shape[1])
        for _ in range(NEWTON_STEPS):
            p = expit(X @ beta)
            gradient = X.T @ (weight * (won - p)) - self.ridge_ * beta
            hessian = self._gram(X, weight * p * (1 - p), self.ridge_)
            beta = beta + np.linalg.solve(hessian, gradient)
        return np.asarray(beta)

    def _ridge(self, X: sparse.csr_array, y: F64, weight: F64, ridge: float) -> F64:
        return np.asarray(np.linalg.solve(self._gram(X, weight, ridge), X.T @ (weight * y)))

    def _gram(self, X: sparse.csr_array, weight: F64, ridge: float) -> F64:
        gram = (X.T @ (X * weight[:, None])).toarray()
        return np.asarray(gram + ridge * np.eye(gram.shape[0]))
