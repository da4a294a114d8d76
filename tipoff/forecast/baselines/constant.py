"""Nobody is better than anybody, and every total is the recent average."""

from __future__ import annotations

from typing import Self

import numpy as np

from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.forecaster import F64, RESULT_DELAY, Forecasts
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.position import positions
from tipoff.forecast.table import MatchTable

RECENT = 2000
"""matches over which the average total is taken"""


def played_before(table: MatchTable, known: np.ndarray) -> np.ndarray:
    """Shape (n,): the fewer matches of the two players among the first known[i] matches."""
    counts = np.zeros(len(table.roster.players), dtype=np.int64)
    out = np.empty(len(table), dtype=np.int64)
    done = 0
    for i in range(len(table)):
        while done < known[i]:
            counts[table.index[done, 0]] += 1
            counts[table.index[done, 1]] += 1
            done += 1
        out[i] = min(counts[table.index[i, 0]], counts[table.index[i, 1]])
    return out


def known_before(table: MatchTable, lead: int) -> np.ndarray:
    """Shape (n,): how many matches have a knowable result when match i is forecast."""
    known = np.searchsorted(table.start, table.start - (lead + RESULT_DELAY), side="right")
    return np.asarray(known)


def recent_total(table: MatchTable, known: np.ndarray, default: float) -> F64:
    """Shape (n,): mean total of the last RECENT known matches, in points."""
    sums = np.concatenate([[0.0], np.cumsum(table.observed[1])])
    first = np.maximum(known - RECENT, 0)
    return np.where(known > 0, (sums[known] - sums[first]) / np.maximum(known - first, 1), default)


class Constant:
    """One half, no margin, and the recent average total."""

    name = "constant"

    def fit(self, table: MatchTable, progress: Progress = quiet) -> Self:
        """Learn the spreads of margin and total."""
        self.margin_sd_ = float(np.std(table.observed[0]))
        self.total_mean_ = float(np.mean(table.observed[1]))
        self.total_sd_ = float(np.std(table.observed[1]))
        progress(1.0, "fitted the constant")
        return self

    def walk(self, table: MatchTable, lead: int) -> Forecasts:
        """Forecast every match from what was knowable `lead` minutes before its start."""
        known, n = known_before(table, lead), len(table)
        return Forecasts(
            np.full(n, 0.5), np.zeros(n), np.full(n, self.margin_sd_),
            recent_total(table, known, self.total_mean_), np.full(n, self.total_sd_),
            played_before(table, known), positions(table, lead, BUILT_IN.session_gap),
        )  # fmt: skip
