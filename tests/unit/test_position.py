"""How far into their sessions two players are, against counting one result after the other."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulated import simulate
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.position import LATEST, positions
from tipoff.forecast.table import MatchTable, Roster, build_table

GAP = 240


def counted(table: MatchTable, lead: int) -> list[float]:
    """The same by a plain loop over results, as the filter learns them."""
    found, last, played, known = [], {}, {}, 0
    for i, now in enumerate(table.start.tolist()):
        while known < i and table.start[known] <= now - lead - 30:
            at = int(table.start[known])
            for p in table.index[known, :2].tolist():
                played[p] = played[p] + 1 if p in last and at - last[p] <= GAP else 1
                last[p] = at
            known += 1
        ks = [played[p] if p in last and now - last[p] <= GAP else 0 for p in table.index[i, :2].tolist()]
        found.append(min(sum(ks) / 2, LATEST))
    return found


@pytest.mark.parametrize("lead", [2, 75, 400])
def test_positions_are_what_counting_says(lead: int) -> None:
    """A match of somebody else's counted, one that was not knowable yet, or a session that never ends."""
    table = build_table(simulate(6)[0])
    made = positions(table, lead, GAP)
    assert made.tolist() == counted(table, lead)
    assert np.array_equal(GaussianFilter(BUILT_IN).fit(table).walk(table, lead).position, made)
    assert (lead == 400) == (len(np.unique(made)) == 1)


def test_a_session_ends_after_the_gap_and_not_at_it() -> None:
    """Two sessions for one, which no schedule with regular breaks would tell."""
    rng, n = np.random.default_rng(3), 3000
    pairs = [rng.permutation(8)[:2] for _ in range(n)]
    start = np.cumsum(10 * rng.integers(0, 9, n))
    index = np.column_stack([np.array(pairs), np.full((n, 4), 0)])
    table = MatchTable(Roster(), [""] * n, start, index, np.zeros(n), np.zeros(n))
    made = positions(table, 2, GAP)
    assert made.tolist() == counted(table, 2)
    assert {0.0, 0.5, LATEST} <= set(made.tolist())


def test_nobody_has_played_in_an_empty_table() -> None:
    """An index into nothing."""
    assert len(positions(build_table([]), 2, GAP)) == 0
