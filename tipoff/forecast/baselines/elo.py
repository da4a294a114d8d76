"""Elo ("The Rating of Chessplayers", 1978) and Elo with margin of victory (FiveThirtyEight's NBA form)."""

from __future__ import annotations

import math
from typing import Self

import numpy as np

from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.baselines.constant import known_before, played_before, recent_total
from tipoff.forecast.forecaster import F64, Forecasts
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.position import positions
from tipoff.forecast.table import MatchTable

SCALE = math.log(10) / 400
STEPS = (4.0, 8.0, 16.0, 24.0, 36.0)
ONE_STEP_LEAD = 2


class Elo:
    """Ratings of players; K is chosen on the fit window by log loss."""

    name = "Elo"

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Choose K, and learn how many points of margin a rating point is worth."""
        known, won = known_before(table, ONE_STEP_LEAD), table.observed[0] > 0
        losses = []
        for i, k in enumerate(STEPS):
            p = _expected(self._differences(table, known, k))
            losses.append(float(-np.mean(np.log(np.where(won, p, 1 - p)))))
            progress((i + 1) / len(STEPS), f"fitting {self.name}")
        self.k_ = STEPS[int(np.argmin(losses))]
        d, margin = self._differences(table, known, self.k_), table.observed[0]
        self.points_ = float(d @ margin / max(float(d @ d), 1e-9))
        self.margin_sd_ = float(np.std(margin - self.points_ * d))
        self.total_mean_, self.total_sd_ = float(np.mean(table.observed[1])), float(np.std(table.observed[1]))
        return self

    def walk(self, table: MatchTable, lead: int) -> Forecasts:
        """Forecast every match from what was knowable `lead` minutes before its start."""
        known, n = known_before(table, lead), len(table)
        d = self._differences(table, known, self.k_)
        return Forecasts(
            _expected(d), self.points_ * d, np.full(n, self.margin_sd_),
            recent_total(table, known, self.total_mean_), np.full(n, self.total_sd_),
            played_before(table, known), positions(table, lead, BUILT_IN.session_gap),
        )  # fmt: skip

    def _differences(self, table: MatchTable, known: np.ndarray, k: float) -> F64:
        """Rating of A less that of B when each match was forecast."""
        ratings = [0.0] * len(table.roster.players)
        a, b = table.index[:, 0].tolist(), table.index[:, 1].tolist()
        margins = table.observed[0].tolist()
        out, done = np.empty(len(table)), 0
        for i, upto in enumerate(known.tolist()):
            while done < upto:
                x, y = a[done], b[done]
                change = k * self._surprise(ratings[x] - ratings[y], margins[done])
                ratings[x] += change
                ratings[y] -= change
                done += 1
            out[i] = ratings[a[i]] - ratings[b[i]]
        return out

    def _surprise(self, difference: float, margin: float) -> float:
        """Result less expectation, for side A."""
        return (1.0 if margin > 0 else 0.0) - 1 / (1 + math.exp(-SCALE * difference))


class EloMargin(Elo):
    """Elo whose step grows with the margin, less so for favourites."""

    name = "Elo with margin"

    def _surprise(self, difference: float, margin: float) -> float:
        lead = difference if margin > 0 else -difference
        grown: float = (abs(margin) + 3) ** 0.8 / (7.5 + 0.006 * lead)
        return grown * super()._surprise(difference, margin)


def _expected(difference: F64) -> F64:
    return np.asarray(1 / (1 + np.exp(-SCALE * difference)))
