"""The compiled walk over a table of matches, with numpy arrays in and out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tipoff.forecast.arrays import NEVER, Arrays
from tipoff.forecast.kernels import walk
from tipoff.forecast.table import MatchTable

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
NO_LEVEL = np.empty(0)
NOBODY = np.empty(0, np.int64)


def learn_table(made: Arrays, P: F64, table: MatchTable, gap: int, only: int = NEVER, level: F64 = NO_LEVEL) -> F64:
    """Learn every match of `table` in place; returns what had been forecast of each.

    Shape (n, 2, 2): margin and total, mean and variance, in points and points squared, from all matches before in
    the table. `only` 0 or 1 runs the filter of the margin or the total alone; that of the margin then needs `level`
    (n,), the totals that the other one forecast.
    """
    out = np.zeros((len(table), 2, 2))
    walk.walk(
        made,
        P,
        table.index,
        table.start,
        table.observed,
        gap,
        only,
        NEVER,
        level,
        out,
        NOBODY,
        NO_LEVEL,
    )
    return out


def walk_table(made: Arrays, P: F64, table: MatchTable, gap: int, delay: int) -> tuple[F64, I64, F64]:
    """Forecast every match of `table` from those that started at least `delay` minutes before it.

    Returns what is forecast as `learn_table` does, the fewer matches known of the two players (n,), and the mean
    number known of their sessions (n,).
    """
    out, played, position = np.zeros((len(table), 2, 2)), np.zeros(len(table), np.int64), np.zeros(len(table))
    walk.walk(made, P, table.index, table.start, table.observed, gap, NEVER, delay, NO_LEVEL, out, played, position)
    return out, played, position
