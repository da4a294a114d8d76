"""Odds as people write them, and what a posted price is worth: de-vig, edge, expected value, Kelly.

Decimal odds are the whole return of a stake of 1. "Posted" prices hold the bookmaker's margin, so the
probabilities they imply sum to more than 1; de-vigging takes it out again. Shin's method is from "Measuring the
Incidence of Insider Trading in a Market for State-Contingent Claims", Economic Journal 1993, by the equations of
Jullien & Salanie, "Measuring the Incidence of Insider Trading: A Comment on Shin", Economic Journal 1994 (the
library `shin` has no wheel for Python 3.13); proportional and power after Clarke, Kovalchik & Ingram, "Adjusting
Bookmaker's Odds to Allow for Overround" (American Journal of Sports Science, 2017).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from tipoff.errors import InputError

BISECTIONS = 60


def american(decimal: float) -> int:
    """Decimal to American odds, rounded to a whole number.

    >>> american(2.5), american(1.5), american(2.0)
    (150, -200, 100)
    """
    _check(decimal)
    return round(100 * (decimal - 1)) if decimal >= 2 else -round(100 / (decimal - 1))


def from_american(odds: float) -> float:
    """American to decimal odds; raises InputError between -100 and 100.

    >>> from_american(150), from_american(-200)
    (2.5, 1.5)
    """
    if not math.isfinite(odds) or abs(odds) < 100:
        raise InputError(f"American odds are at least 100 or at most -100, got {odds!r}")
    return 1 + (odds / 100 if odds > 0 else -100 / odds)


def fractional(decimal: float, largest: int = 100) -> str:
    """Decimal to the nearest fraction with a denominator up to `largest`.

    >>> fractional(2.5), fractional(1.8)
    ('3/2', '4/5')
    """
    _check(decimal)
    near = Fraction(decimal - 1).limit_denominator(largest)
    return f"{near.numerator}/{near.denominator}"


def from_fractional(text: str) -> float:
    """A fraction such as 3/2 to decimal odds; raises InputError on anything else.

    >>> from_fractional("3/2")
    2.5
    """
    try:
        value = Fraction(text.replace(" ", ""))
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{text!r} is not fractional odds like 3/2") from error
    if value <= 0:
        raise InputError(f"fractional odds are above zero, got {text!r}")
    return 1 + float(value)


def read_price(text: str) -> float:
    """A posted price as people write it (1.91, -110, +120 or 10/11) to decimal odds; raises InputError.

    >>> read_price("1.91"), read_price("-200"), read_price("+150"), read_price("3/2")
    (1.91, 1.5, 2.5, 2.5)
    """
    if "/" in text:
        return from_fractional(text)
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a price: 1.91, -110 or 10/11") from error
    price = from_american(value) if text.strip()[0] in "+-" else value
    _check(price)
    return price


def overround(prices: Sequence[float]) -> float:
    """By how much the implied probabilities of posted decimal prices exceed 1."""
    return sum(_implied(prices)) - 1


def proportional(prices: Sequence[float]) -> list[float]:
    """De-vig: implied probabilities divided by their sum."""
    implied = _implied(prices)
    return [p / sum(implied) for p in implied]


def power(prices: Sequence[float]) -> list[float]:
    """De-vig: implied probabilities to the one power that makes them sum to 1."""
    from scipy.optimize import brentq

    implied = _implied(prices)

    def excess(k: float) -> float:
        return float(sum(p**k for p in implied)) - 1

    upper = 1.0
    while excess(upper) > 0:
        upper *= 2
    lower = 1.0
    while excess(lower) < 0:
        lower /= 2
    k = float(brentq(excess, lower, upper, xtol=1e-14)) if lower < upper else 1.0
    raised = [p**k for p in implied]
    return [p / sum(raised) for p in raised]


def shin(prices: Sequence[float]) -> list[float]:
    """De-vig: Shin's method; prices without a margin, which it is not meant for, are scaled proportionally."""
    if overround(prices) <= 0:
        return proportional(prices)
    implied = [1 / price for price in prices]
    whole = sum(implied)

    def without(insiders: float) -> list[float]:
        roots = (math.sqrt(insiders**2 + 4 * (1 - insiders) * part**2 / whole) for part in implied)
        return [(root - insiders) / (2 * (1 - insiders)) for root in roots]

    low, high = 0.0, 1.0 - 1e-9
    for _ in range(BISECTIONS):  # the sum falls from the root of the whole at 0 to below 1
        middle = (low + high) / 2
        low, high = (middle, high) if sum(without(middle)) > 1 else (low, middle)
    return without((low + high) / 2)


METHODS: dict[str, Callable[[Sequence[float]], list[float]]] = {
    "proportional": proportional,
    "power": power,
    "shin": shin,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Bet:
    """A posted price against our probabilities of winning, pushing and losing.

    `edge` is our probability (pushes left out) less the price's de-vigged one where given; `expected` the
    profit of a stake of 1; `kelly` the share of the bankroll that grows it fastest, 0 where nothing is to be
    won.
    """

    price: float
    probability: float
    push: float
    market_probability: float | None
    edge: float | None
    expected: float
    kelly: float
    stake: float
    """`kelly` times the fraction, at most the cap"""


def bet(
    price: float, probability: float, push: float = 0.0, market_probability: float | None = None,
    fraction: float = 0.25, cap: float = 0.05,
) -> Bet:  # fmt: skip
    """What a bet at decimal `price` is worth (Kelly, "A New Interpretation of Information Rate", 1956).

    `fraction` of the full Kelly stake is taken, at most `cap` of the bankroll. Raises InputError on prices
    not above 1 and on probabilities outside 0 to 1.

    >>> round(bet(2.1, 0.5).expected, 3), round(bet(2.1, 0.5).kelly, 5)
    (0.05, 0.04545)
    """
    _check(price)
    if not (0 <= probability <= 1 and 0 <= push <= 1 and probability + push <= 1 + 1e-12):
        raise InputError(f"probabilities {probability!r} (win) and {push!r} (push) are impossible")
    if not (0 < fraction <= 1 and 0 < cap <= 1):
        raise InputError(f"the Kelly fraction and the cap lie above 0 and up to 1, got {fraction!r} and {cap!r}")
    lose = max(0.0, 1 - probability - push)
    gain = price - 1
    expected = probability * gain - lose
    decided = probability + lose
    kelly = max(0.0, expected / (gain * decided)) if decided > 0 else 0.0
    settled = probability / decided if decided > 0 else 0.0
    edge = None if market_probability is None else settled - market_probability
    return Bet(price, probability, push, market_probability, edge, expected, kelly, min(kelly * fraction, cap))


def _implied(prices: Sequence[float]) -> list[float]:
    if len(prices) < 2:
        raise InputError("a market has at least two prices")
    for price in prices:
        _check(price)
    return [1 / price for price in prices]


def _check(price: float) -> None:
    if not math.isfinite(price) or price <= 1:
        raise InputError(f"decimal odds are above 1, got {price!r}")
