"""Matches a second, one core: the filter beside openskill, penaltyblog's Elo and a loop that does nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import penaltyblog
from openskill.models import PlackettLuce

from bench.measuring import best
from tipoff.domain.match import Match
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import empty_arrays
from tipoff.forecast.table import MatchTable, build_table
from tipoff.forecast.walking import learn_table


def learn(table: MatchTable) -> None:
    """Both filters over every result."""
    learn_table(empty_arrays(table, BUILT_IN), BUILT_IN.as_array(), table, BUILT_IN.session_gap)


def nothing(table: MatchTable) -> float:
    """A Python loop over the same arrays."""
    total = 0.0
    for a, b, score in zip(table.index[:, 0], table.index[:, 1], table.score_a, strict=True):
        total += score if a != b else 0.0
    return total


def openskill(table: MatchTable) -> None:
    """PlackettLuce, one update a match."""
    model = PlackettLuce()
    ratings = [model.rating() for _ in table.roster.players]
    for (a, b), margin in zip(table.index[:, :2].tolist(), table.observed[0].tolist(), strict=True):
        [[one], [other]] = model.rate([[ratings[a]], [ratings[b]]], ranks=[1, 2] if margin > 0 else [2, 1])
        ratings[a], ratings[b] = one, other


def elo(table: MatchTable) -> None:
    """penaltyblog's Elo, one update a match."""
    rating = penaltyblog.ratings.Elo(home_field_advantage=0.0)
    names = list(table.roster.players)
    for (a, b), margin in zip(table.index[:, :2].tolist(), table.observed[0].tolist(), strict=True):
        rating.update_ratings(names[a], names[b], 0 if margin > 0 else 2)


def measure(matches: list[Match]) -> dict[str, Any]:
    """Matches a second of each, and the filter's ratio to the others."""
    table = build_table(matches)
    model = GaussianFilter(BUILT_IN).fit(table)
    seconds = {
        "filter, learning": best(lambda: learn(table)),
        "filter, forecasting and learning": best(lambda: model.walk(table, 2)),
        "a loop that does nothing": best(lambda: nothing(table)),
        "penaltyblog Elo": best(lambda: elo(table), 3),
        "openskill PlackettLuce": best(lambda: openskill(table), 3),
    }
    rates = {name: len(table) / taken for name, taken in seconds.items()}
    return {"matches": len(table), "states": int(_states(table)), "matches_a_second": rates}


def _states(table: MatchTable) -> np.int64:
    made = empty_arrays(table, BUILT_IN)
    learn_table(made, BUILT_IN.as_array(), table, BUILT_IN.session_gap)
    return np.int64(made.counters[0])
