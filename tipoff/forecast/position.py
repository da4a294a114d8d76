"""How far the two players of a match are into their sessions, as results tell it."""

from __future__ import annotations

import numpy as np

from tipoff.forecast.columns import MOST_PLAYED
from tipoff.forecast.forecaster import F64, RESULT_DELAY
from tipoff.forecast.table import MatchTable

LATEST = float(MOST_PLAYED)
"""matches after which a session counts as no longer"""


def positions(table: MatchTable, lead: int, gap: int) -> F64:
    """Shape (n,): mean number of matches that the two have already played in their sessions, at most LATEST.

    From results knowable `lead` minutes before the start alone; a session ends where a player's last such match
    began more than `gap` minutes ago.
    """
    n, players = len(table), table.index[:, :2]
    known = np.searchsorted(table.start, table.start - (lead + RESULT_DELAY), side="right")
    rows = np.repeat(np.arange(n), 2)
    order = np.lexsort((rows, players.ravel()))
    keys = players.ravel()[order] * (n + 1) + rows[order]
    started = table.start[rows[order]]
    begins = np.ones(2 * n, dtype=bool)
    begins[1:] = (np.diff(players.ravel()[order]) != 0) | (np.diff(started) > gap)
    first = np.maximum.accumulate(np.where(begins, np.arange(2 * n), 0))
    last = np.searchsorted(keys, players * (n + 1) + known[:, None]) - 1
    at = np.maximum(last, 0)
    there = (last >= 0) & (players.ravel()[order][at] == players) & (table.start[:, None] - started[at] <= gap)
    played = np.where(there, at - first[at] + 1, 0)
    return np.asarray(np.minimum(played.mean(axis=1), LATEST))
