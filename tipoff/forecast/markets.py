"""Every market of one match from its one joint distribution, with fair odds as people write them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tipoff.errors import InputError
from tipoff.forecast.distribution import Line, ScoreDistribution
from tipoff.forecast.odds import METHODS, american, bet, fractional

MARKETS = ("winner", "total", "spread", "team_total_a", "team_total_b")
MOST_LINES = 201
FARTHEST = 4.0
"""deviations from our mean beyond which a posted line is taken for that of something else"""


def near(mean: float) -> float:
    """The half line nearest to `mean`: over and under are about equally likely and nothing pushes."""
    return math.floor(mean) + 0.5


def price(distribution: ScoreDistribution, market: str, line: float | None = None) -> Line:
    """One market: over means side A for the winner, side A covering for the spread.

    Raises InputError on an unknown market, a missing line, or a line that is neither whole nor half.
    """
    if market == "winner":
        return Line(distribution.p_a, 0.0, 1 - distribution.p_a)
    if line is None:
        raise InputError(f"the market {market} needs a line")
    if market == "total":
        return distribution.total(line)
    if market == "spread":
        return distribution.spread(line)
    if market in ("team_total_a", "team_total_b"):
        return distribution.team_total(market[-1], line)
    raise InputError(f"no market {market!r}; there are {', '.join(MARKETS)}")


def about(distribution: ScoreDistribution, market: str, line: float | None) -> tuple[float, float, float]:
    """What a market is about, in points: over is above the first number; mean and deviation of the value.

    The value is the margin (A - B) of the winner and the spread, the total, or a side's points.
    """
    d, line = distribution, line or 0.0
    side = math.hypot(d.margin_sd, d.total_sd) / 2
    threshold, mean, sd = {
        "winner": (0.0, d.margin_mean, d.margin_sd),
        "spread": (0.0 - line, d.margin_mean, d.margin_sd),
        "total": (line, d.total_mean, d.total_sd),
        "team_total_a": (line, d.mean_a, side),
        "team_total_b": (line, d.mean_b, side),
    }[market]
    return threshold, mean, sd


def is_of_something_else(distribution: ScoreDistribution, market: str, line: float | None) -> bool:
    """Whether a posted line is so far away that it is not this match's: a quarter's total under the match's name."""
    threshold, mean, sd = about(distribution, market, line)
    return market != "winner" and abs(threshold - mean) > FARTHEST * sd


def main_line(distribution: ScoreDistribution, market: str) -> float:
    """The half line at which over and under come nearest to even."""
    means = {
        "total": distribution.total_mean,
        "spread": -distribution.margin_mean,
        "team_total_a": distribution.mean_a,
        "team_total_b": distribution.mean_b,
    }
    if market not in means:
        raise InputError(f"the market {market!r} has no line")
    return near(means[market])


def ladder(
    distribution: ScoreDistribution, market: str, reach: float = 10.0, step: float = 0.5
) -> list[tuple[float, Line]]:
    """Alternate lines from the main line less `reach` to plus `reach` points, every `step` (0.5 or 1)."""
    if step not in (0.5, 1.0) or not 0 <= reach * 2 / step < MOST_LINES:
        raise InputError(f"alternate lines go by 0.5 or 1, at most {MOST_LINES}; got {reach!r} by {step!r}")
    middle, each = main_line(distribution, market), round(reach / step)
    lines = [middle + i * step for i in range(-each, each + 1)]
    return [(line, price(distribution, market, line)) for line in lines]


def exact_scores(distribution: ScoreDistribution, most: int = 20) -> list[tuple[int, int, float]]:
    """The likeliest final scores (a, b, probability), likeliest first."""
    joint = distribution.joint
    flat = np.argsort(joint, axis=None)[::-1][:most]
    rows, columns = np.unravel_index(flat, joint.shape)
    return [(int(a), int(b), float(joint[a, b])) for a, b in zip(rows, columns, strict=True)]


def odds_of(line: Line) -> dict[str, Any]:
    """A market's probabilities with both sides' fair odds in every notation; null where it cannot happen."""
    answer: dict[str, Any] = {"over": line.over, "push": line.push, "under": line.under}
    for side, decimal in (("over", line.fair_over), ("under", line.fair_under)):
        usable = math.isfinite(decimal) and decimal > 1
        answer[f"fair_{side}"] = (
            {"decimal": decimal, "american": american(decimal), "fractional": fractional(decimal)} if usable else None
        )
    return answer


def sealed_markets(distribution: ScoreDistribution) -> dict[str, Any]:
    """What is sealed with a forecast: the winner, and each other market at its main line."""
    sealed: dict[str, Any] = {"winner": dataclasses.asdict(price(distribution, "winner"))}
    for market in MARKETS[1:]:
        line = main_line(distribution, market)
        sealed[market] = {"line": line, **dataclasses.asdict(price(distribution, market, line))}
    return sealed


def all_markets(distribution: ScoreDistribution, reach: float = 6.0) -> dict[str, Any]:
    """All markets with alternate lines and the exact-score table, as JSON values."""
    answer: dict[str, Any] = {"winner": odds_of(price(distribution, "winner"))}
    for market in MARKETS[1:]:
        answer[market] = [{"line": line, **odds_of(found)} for line, found in ladder(distribution, market, reach)]
    answer["exact_scores"] = [{"a": a, "b": b, "probability": p} for a, b, p in exact_scores(distribution)]
    return answer


def against_posted(
    distribution: ScoreDistribution, market: str, line: float | None, prices: tuple[float, float],
    method: str = "shin", fraction: float = 0.25, cap: float = 0.05,
) -> dict[str, Any]:  # fmt: skip
    """Both sides of a posted market against the forecast; prices (decimal) of over and of under."""
    if method not in METHODS:
        raise InputError(f"no de-vig method {method!r}; there are {', '.join(METHODS)}")
    ours, fair = price(distribution, market, line), METHODS[method](prices)
    sides: Iterable[tuple[str, float, float, float]] = (
        ("over", prices[0], ours.over, fair[0]),
        ("under", prices[1], ours.under, fair[1]),
    )
    return {
        "market": market, "line": line, "method": method, "push": ours.push,
        **{name: dataclasses.asdict(bet(posted, p, ours.push, market_p, fraction, cap))
           for name, posted, p, market_p in sides},
    }  # fmt: skip
