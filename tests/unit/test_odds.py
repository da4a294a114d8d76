"""Odds in every notation, de-vig, expected value and Kelly, against worked examples and penaltyblog."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from penaltyblog.implied import calculate_implied

from tipoff.errors import InputError
from tipoff.forecast import odds
from tipoff.forecast.odds import METHODS, american, bet, fractional, from_american, from_fractional, overround

prices = st.lists(st.floats(1.05, 20), min_size=2, max_size=2).filter(lambda p: 0.0 < 1 / p[0] + 1 / p[1] - 1 < 0.3)


def test_the_examples_in_the_text() -> None:
    """An example that is not true."""
    assert doctest.testmod(odds).failed == 0


@given(st.floats(1.02, 50))
def test_american_odds_come_back(decimal: float) -> None:
    """A favourite shown with the sign of an outsider."""
    back = from_american(american(decimal))
    assert back == pytest.approx(decimal, rel=0.02)
    assert (american(decimal) > 0) == (decimal >= 2) or american(decimal) == -100


@given(st.integers(1, 60), st.integers(1, 60))
def test_fractions_come_back(numerator: int, denominator: int) -> None:
    """5/4 that becomes 1/1."""
    decimal = 1 + numerator / denominator
    assert from_fractional(fractional(decimal)) == pytest.approx(decimal, abs=1e-9)


@pytest.mark.parametrize("text", ["", "x", "3/0", "-1/2", "0"])
def test_what_is_no_fraction_is_refused(text: str) -> None:
    """A price read from nonsense."""
    with pytest.raises(InputError):
        from_fractional(text)


@pytest.mark.parametrize("price", [1.0, 0.5, float("nan"), float("inf"), -2.0])
def test_impossible_prices_are_refused(price: float) -> None:
    """A division by zero, or a bet on a price that nobody can offer."""
    with pytest.raises(InputError):
        overround([price, 2.0])
    with pytest.raises(InputError):
        bet(price, 0.5)


@given(prices)
def test_de_vigged_probabilities_sum_to_one_and_keep_their_order(pair: list[float]) -> None:
    """A method that leaves the margin in, or turns the favourite round."""
    for method in METHODS.values():
        fair = method(pair)
        assert sum(fair) == pytest.approx(1, abs=1e-9)
        assert (fair[0] >= fair[1]) == (pair[0] <= pair[1]) or math.isclose(pair[0], pair[1])
        assert all(0 < p < 1 for p in fair)


@given(prices)
@settings(deadline=None)
def test_de_vig_agrees_with_penaltyblog(pair: list[float]) -> None:
    """Our few lines against a library that others rely on."""
    for name, theirs in (("proportional", "multiplicative"), ("power", "power"), ("shin", "shin")):
        expected = calculate_implied(pair, method=theirs).probabilities
        assert METHODS[name](pair) == pytest.approx(list(expected), abs=1e-6)


def test_de_vig_worked_examples() -> None:
    """Values worked out by hand: 1.80 and 2.00 imply 0.5556 and 0.5, an overround of 5.56 %."""
    assert overround([1.8, 2.0]) == pytest.approx(0.055556, abs=1e-6)
    assert METHODS["proportional"]([1.8, 2.0]) == pytest.approx([0.526316, 0.473684], abs=1e-6)
    # two outcomes: Shin's probabilities are those of the additive method, p_i - overround / 2
    assert METHODS["shin"]([1.8, 2.0]) == pytest.approx([0.5277778, 0.4722222], abs=1e-6)
    k = 1.08484  # 0.5556^k + 0.5^k = 1
    assert METHODS["power"]([1.8, 2.0]) == pytest.approx([0.55556**k, 0.5**k], abs=5e-5)


def test_prices_without_a_margin() -> None:
    """Shin's method on an arbitrage, where it means nothing."""
    for method in METHODS.values():
        assert method([2.1, 2.1]) == pytest.approx([0.5, 0.5])
        assert sum(method([2.5, 1.9])) == pytest.approx(1)


def test_kelly_worked_examples() -> None:
    """Stakes that ruin: Kelly's b p - q over b."""
    plain = bet(2.0, 0.6, fraction=1.0, cap=1.0)
    assert plain.expected == pytest.approx(0.2)
    assert plain.kelly == pytest.approx(0.2)
    assert bet(3.0, 0.4, fraction=1.0, cap=1.0).kelly == pytest.approx((2 * 0.4 - 0.6) / 2)
    assert bet(2.0, 0.6).stake == pytest.approx(0.05)
    assert bet(2.0, 0.52).stake == pytest.approx(0.01)
    losing = bet(1.9, 0.5)
    assert losing.expected == pytest.approx(-0.05)
    assert (losing.kelly, losing.stake) == (0.0, 0.0)


def test_a_push_returns_the_stake() -> None:
    """A push counted as a loss: at 1.9 with 0.5 / 0.1 / 0.4 the profit is 0.45 - 0.4."""
    b = bet(1.9, 0.5, push=0.1, market_probability=0.5, fraction=1.0, cap=1.0)
    assert b.expected == pytest.approx(0.05)
    assert b.edge == pytest.approx(0.5 / 0.9 - 0.5)
    assert b.kelly == pytest.approx(0.05 / (0.9 * 0.9))


@given(st.floats(1.1, 10), st.floats(0.01, 0.98))
def test_kelly_grows_the_bankroll_fastest(price: float, p: float) -> None:
    """A stake at which a little less or more would grow faster."""
    full = bet(price, p, fraction=1.0, cap=1.0).kelly

    def growth(stake: float) -> float:
        return p * math.log1p(stake * (price - 1)) + (1 - p) * math.log1p(-stake)

    for other in (full * 0.9, min(full * 1.1, 0.999), full + 0.001):
        assert growth(min(full, 0.999)) >= growth(min(other, 0.999)) - 1e-12


@pytest.mark.parametrize(("probability", "push"), [(-0.1, 0), (1.1, 0), (0.6, 0.5), (float("nan"), 0)])
def test_impossible_probabilities_are_refused(probability: float, push: float) -> None:
    """A stake on a probability above one."""
    with pytest.raises(InputError):
        bet(2.0, probability, push)
