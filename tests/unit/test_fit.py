"""The search for hyper-parameters when time runs out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulated import simulate
from tipoff.forecast.fit import FitResult, fit_filter, fit_params
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.table import MatchTable, build_table


@pytest.fixture(scope="module")
def table() -> MatchTable:
    """Four days of the simulated league."""
    return build_table(simulate(4)[0])


def after(evaluations: int) -> Callable[[], bool]:
    """Time that is used up after so many looks at the clock."""
    looks = iter(range(10**9))
    return lambda: next(looks) >= evaluations


def test_out_of_time_keeps_the_best_so_far(table: MatchTable) -> None:
    """A search that loses what it had found, or runs on."""
    found: list[FitResult] = [fit_filter(table, 0, BUILT_IN, enough=after(n)) for n in (0, 40, 100, 10**9)]
    assert [f.converged for f in found] == [False, False, False, True]
    assert [f.evaluations for f in found[:3]] == [1, 41, 101]
    assert found[0].params.v0 == pytest.approx(BUILT_IN.margin.v0)
    assert found[0].objective > found[1].objective >= found[2].objective >= found[3].objective - 0.05
    assert {f.message for f in found[:3]} == {"out of time"}


def test_both_searches_get_their_time(table: MatchTable) -> None:
    """A search for the total that uses up the time, so that what decides who wins is not fitted at all."""
    looks, said = iter(range(10**9)), list[float]()
    _, found = fit_params(
        table, progress=lambda share, _: said.append(share), enough=lambda share: next(looks) >= 100 * share
    )
    assert [f.evaluations for f in found] == [50, 51]
    assert {f.message for f in found} == {"out of time"}
    assert said == sorted(said)
