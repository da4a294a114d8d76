"""What a set of additions costs, in a process of its own: python -m bench.weigh plain|all FOLDER.

Also run on the code of an earlier commit, which knows no additions: `before` in place of their name.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.data import WINDOW, real
from bench.measuring import best, peak_mb
from tipoff.domain.match import Match
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.params import BUILT_IN, Params
from tipoff.forecast.state import FilterState, empty_arrays, state_after
from tipoff.forecast.table import MatchTable, build_table

Make = Callable[..., GaussianFilter]


def model(name: str) -> Make:
    """What makes a filter with all additions, with none, or as it was before there were any."""
    if name == "plain":
        return functools.partial(GaussianFilter, base=dataclasses.replace(BUILT_IN, additions=()))
    return GaussianFilter


def weigh(matches: list[Match], make: Make) -> dict[str, Any]:
    """Seconds to fit (kernels compiled), matches a second, milliseconds and bytes of the state, peak memory.

    Seconds are those of the processor, so that others on the machine count for little; it is one core.
    """
    first = build_table([m for m in matches if m.start.date() <= WINDOW.fit_until])
    later = build_table([m for m in matches if m.start.date() <= WINDOW.fit_until + dt.timedelta(days=1)])
    _compile(make, first)
    params, cold = _fit(make(), first)
    _, warm = _fit(make(start=params), later)
    table = build_table(matches)
    fitted = make(params).fit(table)
    state = state_after(params, matches)
    blob = state.to_bytes()
    return {
        "fitted_on": len(first), "cold_seconds": cold, "warm_seconds": warm,
        "matches": len(table), "matches_a_second": len(table) / _cpu(lambda: fitted.walk(table, WINDOW.lead)),
        "learned_a_second": len(table) / best(lambda: learn(params, table)),
        "states": int(state.arrays.counters[0]), "save_ms": 1000 * _cpu(state.to_bytes),
        "load_ms": 1000 * _cpu(lambda: FilterState.from_bytes(blob)), "state_bytes": len(blob), "peak_mb": peak_mb(),
    }  # fmt: skip


_cpu = functools.partial(best, clock=time.process_time)


def learn(params: Params, table: MatchTable) -> None:
    """Every result learned after its forecast one step ahead; by the function that the code measured has for it."""
    made, P = empty_arrays(table, params), params.as_array()
    try:
        importlib.import_module("tipoff.forecast.walking").learn_table(made, P, table, params.session_gap)
    except ModuleNotFoundError:
        walk = importlib.import_module("tipoff.forecast.kernels.walk")
        walk.learn_rows(made, P, table.index, table.start, table.observed, params.session_gap)


def _compile(make: Make, table: MatchTable) -> None:
    make().fit(table.head(300)).walk(table.head(300), WINDOW.lead)


def _fit(model: GaussianFilter, table: MatchTable) -> tuple[Params, float]:
    started = time.process_time()
    return model.fit(table).params_, time.process_time() - started


if __name__ == "__main__":
    found = real(Path(sys.argv[2]))
    assert found is not None
    print(json.dumps(weigh(found, model(sys.argv[1]))))
