"""Leaving out a group of states leaves nothing of it, whatever additions there are."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest

from tests.simulated import simulate
from tipoff.forecast.arrays import N_SLOTS, NEVER, POS, SLOT_POS
from tipoff.forecast.importance import without
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import FilterState, state_after
from tipoff.forecast.table import in_order


def players(state: FilterState) -> list[int]:
    """Dense positions of players."""
    at = state.arrays.players[:, POS]
    return [int(one) for one in at[at != NEVER]]


def slots(state: FilterState) -> list[int]:
    """Dense positions of session form."""
    return [int(one) for one in state.arrays.slots[: state.arrays.counters[N_SLOTS], SLOT_POS]]


@pytest.mark.parametrize(("group", "places"), [("player strength", players), ("session form", slots)])
def test_a_group_that_is_left_out_is_never_moved(group: str, places: Callable[[FilterState], list[int]]) -> None:
    """Newcomers after ten days, or form within a session, that go on as if nothing were left out."""
    matches = in_order(simulate(3)[0])
    late = [
        dataclasses.replace(
            m, external_id=f"Z{i}", start=m.start + dt.timedelta(days=10), player_a=f"LATE {m.player_a}"
        )
        for i, m in enumerate(matches)
    ]
    whole, left = (state_after(params, [*matches, *late]) for params in (BUILT_IN, without(BUILT_IN, group)))
    assert np.abs(whole.arrays.x[:, places(whole)]).max() > 1
    assert np.abs(left.arrays.x[:, places(left)]).max() < 1e-3
