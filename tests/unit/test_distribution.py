"""The joint distribution and the markets read from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipoff.errors import InputError
from tipoff.forecast.distribution import ScoreDistribution, win_probability

forecasts = st.builds(
    ScoreDistribution,
    margin_mean=st.floats(-25, 25),
    margin_sd=st.floats(6, 12),
    total_mean=st.floats(90, 140),
    total_sd=st.floats(8, 14),
)


@given(forecasts)
def test_joint_is_a_distribution_without_draws(forecast: ScoreDistribution) -> None:
    """Mass that leaks, or stays on the diagonal, would make every price wrong."""
    assert forecast.joint.sum() == pytest.approx(1, abs=1e-9)
    assert (forecast.joint >= 0).all()
    assert np.trace(forecast.joint) == 0


@given(forecasts)
def test_the_winner_agrees_with_the_joint_distribution(forecast: ScoreDistribution) -> None:
    """A headline probability that the score table contradicts."""
    assert forecast.p_a == pytest.approx(float(np.tril(forecast.joint, -1).sum()), abs=2e-4)


@given(forecasts, st.integers(60, 160))
def test_whole_lines_push_and_half_lines_do_not(forecast: ScoreDistribution, line: int) -> None:
    """A push counted as a win or a loss."""
    whole, half = forecast.total(line), forecast.total(line + 0.5)
    assert half.push == 0
    assert whole.over + whole.push + whole.under == pytest.approx(1, abs=1e-9)
    assert whole.over == pytest.approx(half.over, abs=1e-9)
    assert forecast.total(line - 0.5).over == pytest.approx(whole.over + whole.push, abs=1e-9)


@given(forecasts)
def test_sides_swap(forecast: ScoreDistribution) -> None:
    """A side A that is treated better than side B."""
    other = ScoreDistribution(-forecast.margin_mean, forecast.margin_sd, forecast.total_mean, forecast.total_sd)
    assert forecast.p_a + other.p_a == pytest.approx(1, abs=1e-9)
    assert forecast.spread(-3.5).over == pytest.approx(other.spread(3.5).under, abs=1e-6)
    assert forecast.team_total("a", 50.5).over == pytest.approx(other.team_total("b", 50.5).over, abs=1e-6)


def test_fair_odds_return_the_stake_on_average() -> None:
    """Odds that are not fair when a push is possible."""
    line = ScoreDistribution(2.0, 9.0, 108.0, 11.0).total(108)
    assert line.push > 0.01
    assert line.over * (line.fair_over - 1) - line.under == pytest.approx(0, abs=1e-9)


def test_win_probability_is_half_without_a_favourite() -> None:
    """A bias in the way ties are resolved."""
    assert win_probability(np.zeros(1), np.ones(1))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("line", [0.25, float("nan"), float("inf")])
def test_a_line_that_no_bookmaker_posts_is_refused(line: float) -> None:
    """A quarter line silently priced as a half line."""
    with pytest.raises(InputError, match="whole or a half"):
        ScoreDistribution(0, 9, 108, 11).total(line)


def test_a_forecast_that_is_not_a_number_is_refused() -> None:
    """NaN that travels on into published odds."""
    with pytest.raises(InputError, match="finite"):
        ScoreDistribution(float("nan"), 9, 108, 11)
