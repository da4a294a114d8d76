"""Axes and labels of charts for whatever values."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tipoff.web.charts import figures, scale


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.none(), max_size=6), st.integers(2, 8))
def test_axes_hold_their_values_at_few_round_ticks(values: list[float | None], count: int) -> None:
    """A value outside its axis; no tick, a hundred ticks, two ticks alike; an endless loop."""
    axis = scale.values_axis(values, 0.0, 100.0, count=count)
    assert 2 <= len(axis.ticks) <= 2 * count + 4
    assert len({t.label for t in axis.ticks}) == len(axis.ticks)
    assert [t.value for t in axis.ticks] == sorted({t.value for t in axis.ticks})
    for value in filter(figures.usable, values):
        room = 1e-6 * (axis.high - axis.low)
        assert axis.low - room <= value <= axis.high + room
        assert 0 <= axis.at(value) <= 100


@given(st.lists(st.floats(0, 100), max_size=8))
def test_names_stand_apart(places: list[float]) -> None:
    """Two labels on top of each other though there is room."""
    moved = scale.apart(places, 10, 0, 100)
    order = sorted(range(len(places)), key=lambda i: places[i])
    for i, j in itertools.pairwise(order):
        assert moved[j] - moved[i] >= 10 - 1e-9
    assert all(-1e-9 <= m <= 100 + 1e-9 for m in moved)
