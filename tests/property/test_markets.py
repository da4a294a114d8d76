"""Markets of any forecast at any line: what must hold whatever the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipoff.errors import InputError
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.markets import (
    MARKETS,
    against_posted,
    all_markets,
    exact_scores,
    ladder,
    main_line,
    odds_of,
    price,
    sealed_markets,
)

forecasts = st.builds(
    ScoreDistribution,
    margin_mean=st.floats(-30, 30),
    margin_sd=st.floats(5, 15),
    total_mean=st.floats(80, 150),
    total_sd=st.floats(6, 18),
)
lined = st.sampled_from(MARKETS[1:])
offsets = st.integers(-60, 60).map(lambda n: n / 2)


@given(forecasts, lined, offsets)
def test_probabilities_sum_to_one_and_whole_lines_alone_push(
    f: ScoreDistribution, market: str, offset: float
) -> None:
    """Mass that leaks, or a push at a half line."""
    line = main_line(f, market) + offset
    found = price(f, market, line)
    assert found.over + found.push + found.under == pytest.approx(1, abs=1e-9)
    assert min(found.over, found.push, found.under) >= 0
    if line != math.floor(line):
        assert found.push == 0
    below, above = price(f, market, math.floor(line) - 0.5), price(f, market, math.floor(line) + 0.5)
    whole = price(f, market, math.floor(line))
    over_first, over_second = (below.over, above.over) if market != "spread" else (above.over, below.over)
    assert whole.push == pytest.approx(over_first - over_second, abs=1e-9)


@given(forecasts, lined, offsets)
def test_over_falls_as_the_line_rises(f: ScoreDistribution, market: str, offset: float) -> None:
    """A higher line that is likelier to be beaten (a handicap works the other way)."""
    line = main_line(f, market) + offset
    here, higher = price(f, market, line).over, price(f, market, line + 0.5).over
    assert here <= higher + 1e-12 if market == "spread" else here >= higher - 1e-12


@given(forecasts, lined, offsets)
def test_fair_odds_of_both_sides_agree(f: ScoreDistribution, market: str, offset: float) -> None:
    """Two sides that are both worth backing, or neither."""
    found = price(f, market, main_line(f, market) + offset)
    if min(found.over, found.under) > 1e-9:
        assert 1 / found.fair_over + 1 / found.fair_under == pytest.approx(1, abs=1e-9)
        for p, other, fair in (
            (found.over, found.under, found.fair_over),
            (found.under, found.over, found.fair_under),
        ):
            assert p * (fair - 1) - other == pytest.approx(0, abs=1e-9)


@given(forecasts)
def test_teams_add_up_to_the_total(f: ScoreDistribution) -> None:
    """Team totals from another distribution than the total's."""
    n = np.arange(len(f.joint))
    mean_a, mean_b = float((f.joint.sum(axis=1) * n).sum()), float((f.joint.sum(axis=0) * n).sum())
    totals = sum(float(p) * (a + b) for a, b, p in exact_scores(f, f.joint.size))
    assert mean_a + mean_b == pytest.approx(totals, abs=1e-6)
    assert f.mean_a + f.mean_b == pytest.approx(f.total_mean, abs=1e-9)
    assert mean_a + mean_b == pytest.approx(f.total_mean, abs=0.3)


@given(forecasts)
def test_the_main_line_is_about_even(f: ScoreDistribution) -> None:
    """A headline total that nobody would post."""
    for market in MARKETS[1:]:
        line = main_line(f, market)
        assert line * 2 == round(line * 2)
        assert abs(price(f, market, line).over - 0.5) < 0.16


@given(forecasts)
@settings(max_examples=25)
def test_every_market_in_every_notation(f: ScoreDistribution) -> None:
    """Infinity or NaN in an answer."""
    answer = all_markets(f, reach=3)
    assert answer["winner"]["over"] + answer["winner"]["under"] == pytest.approx(1)
    for market in MARKETS[1:]:
        assert [row["line"] for row in answer[market]] == sorted(row["line"] for row in answer[market])
        assert len(answer[market]) == 13
    assert answer["exact_scores"][0]["probability"] >= answer["exact_scores"][-1]["probability"]
    assert all(row["a"] != row["b"] for row in answer["exact_scores"])
    sealed = sealed_markets(f)
    assert sealed["total"]["over"] == pytest.approx(f.total(sealed["total"]["line"]).over)


def test_a_sure_thing_has_no_odds() -> None:
    """American odds of a market that cannot lose."""
    far = odds_of(price(ScoreDistribution(0, 8, 100, 8), "total", 400.5))
    assert far["fair_over"] is None
    assert far["under"] == pytest.approx(1)


def test_a_posted_price_worked_through() -> None:
    """Sides mixed up: the forecast is 108, the line 100.5, so over at even money is a gift."""
    f = ScoreDistribution(0, 9, 108, 11)
    answer = against_posted(f, "total", 100.5, (1.95, 1.95), "proportional")
    p = f.total(100.5).over
    assert answer["over"]["expected"] == pytest.approx(p * 0.95 - (1 - p))
    assert answer["over"]["edge"] == pytest.approx(p - 0.5)
    assert answer["over"]["stake"] == 0.05
    assert answer["under"]["stake"] == 0


@pytest.mark.parametrize(
    ("market", "line", "message"),
    [("corners", 3.5, "no market"), ("total", None, "needs a line"), ("total", 100.25, "whole or a half")],
)
def test_markets_that_do_not_exist_are_refused(market: str, line: float | None, message: str) -> None:
    """A price for something that is not modelled."""
    with pytest.raises(InputError, match=message):
        price(ScoreDistribution(0, 9, 108, 11), market, line)
    with pytest.raises(InputError, match=r"by 0\.5 or 1"):
        ladder(ScoreDistribution(0, 9, 108, 11), "total", 10, 0.25)
