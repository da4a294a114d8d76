"""The reading state against the compiled walk; and that reading loads no compiler."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import special

from tests.simulated import simulate, with_newcomers
from tipoff.domain.match import Fixture
from tipoff.forecast import arrays
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.known import KnownState
from tipoff.forecast.normal import ndtr, ndtri
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import state_after
from tipoff.forecast.table import build_table, in_order

STREAMED = dataclasses.replace(BUILT_IN, margin=dataclasses.replace(BUILT_IN.margin, v_stream=0.4))


@pytest.mark.parametrize("known", [0, 1, 3, 40, 900])
def test_reading_says_what_the_compiled_walk_says(known: int) -> None:
    """A page or an answer that differs from what is sealed: newcomers, teams, sessions, pairs and streams too."""
    matches = with_newcomers(in_order(simulate(8)[0])[: known + 60])
    learned, asked = matches[:known], matches[known:]
    state = KnownState.from_bytes(state_after(STREAMED, learned).to_bytes())
    for match in asked:
        at = asked[0].start + dt.timedelta(minutes=45)
        fixture = Fixture(match.external_id, at, *(getattr(match, f) for f in (
            "player_a", "player_b", "team_a", "team_b", "stream")))  # fmt: skip
        table = build_table([*learned, dataclasses.replace(match, start=at)])
        walked = GaussianFilter(STREAMED).fit(table).walk(table, 0)
        [made] = state.forecast([fixture])
        assert made.margin_mean == pytest.approx(walked.margin_mean[-1], abs=1e-9)
        assert made.margin_sd == pytest.approx(walked.margin_sd[-1], abs=1e-9)
        assert made.total_mean == pytest.approx(walked.total_mean[-1], abs=1e-9)
        assert made.total_sd == pytest.approx(walked.total_sd[-1], abs=1e-9)
        break_at = [one.known for one in state.parts([fixture])]
        assert break_at == [(state.known_of(match.player_a), state.known_of(match.player_b))]


def test_reading_does_not_change_what_is_known() -> None:
    """A question about two newcomers that teaches the filter their names."""
    state = state_after(BUILT_IN, in_order(simulate(8)[0])[:200])
    before = (state.to_bytes(), dict(state.roster.players), arrays.copied(state.arrays))
    state.forecast(
        [Fixture("x", dt.datetime(2026, 9, 1, tzinfo=dt.UTC), "new one", "new two", "new team", None, "s")]
    )
    assert state.to_bytes() == before[0]
    assert state.roster.players == before[1]


def test_the_normal_distribution_is_the_exact_one() -> None:
    """A tail that underflows makes a fair price of infinity."""
    x = np.concatenate([np.linspace(-37, 9, 4001), [0.0, -math.inf, math.inf]])
    assert ndtr(x) == pytest.approx(special.ndtr(x), rel=1e-12, abs=0)
    assert ndtr(x.reshape(-1, 2)[:7]).shape == (7, 2)
    for p in (1e-12, 0.1, 0.5, 0.9, 1 - 1e-12):
        assert ndtri(p) == pytest.approx(float(special.ndtri(p)), rel=1e-9, abs=1e-12)


def test_reading_needs_no_compiler() -> None:
    """A web process of 60 MB that becomes one of 250."""
    code = (
        "import sys, tipoff.forecast.explain, tipoff.forecast.markets, tipoff.forecast.ratings;"
        "sys.exit(any(name in sys.modules for name in ('numba', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
