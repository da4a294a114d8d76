"""Model against market, each at the moment of the price, and a blend of both that is fitted walking forward."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tipoff.backtest.posted import SOMETHING_ELSE, Said, at_each_price, before_the_start
from tipoff.backtest.run import Window
from tipoff.backtest.stakes import Moved, Stakes, moved, stakes
from tipoff.domain.match import Match
from tipoff.domain.progress import Progress, quiet
from tipoff.domain.quote import Quote
from tipoff.forecast.blend import MarketBlend, Outcomes, Views
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.odds import overround
from tipoff.forecast.params import Params
from tipoff.forecast.table import minutes

CAUTION = (
    "Whoever collected these prices chose them, and a price on paper has no limit: no return on stake follows from "
    "this."
)
TINY = 1e-12
SELECTIONS = ("last", "first", "every")
"""the last price of each match before its start, the first one, and all of them"""


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """One bookmaker's market, on one selection of its prices; `market`, `model` and `blend` by name.

    Differences are less the market's, match by match: below zero is better than the market. Errors are of the line
    and of the means, in points; the winner has none. A push is in the errors and not in the log losses.
    """

    bookmaker: str
    market: str
    selection: str
    prices: int
    matches: int
    pushes: int
    minutes_ahead: float
    """median minutes from the price to the start"""
    overround: float
    log_loss: dict[str, Estimate]
    log_loss_difference: dict[str, Estimate]
    error: dict[str, Estimate]
    error_difference: dict[str, Estimate]


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """What one bookmaker's market came to."""

    bookmaker: str
    market: str
    compared: list[Compared]
    stakes: Stakes
    moved: Moved


@dataclasses.dataclass(frozen=True, slots=True)
class MarketReport:
    """Everything about a file of prices; `left_out` says how many were, for which reason."""

    caution: str
    blend: str
    prices: int
    left_out: dict[str, int]
    groups: list[Group]


@dataclasses.dataclass(frozen=True, slots=True)
class _Judged:
    said: Said
    blend_p: float
    blend_mean: float


def compare_with_market(
    params: Params, matches: Sequence[Match], quotes: Iterable[Quote], window: Window, progress: Progress = quiet
) -> MarketReport:
    """The filter with `params`, fitted as the window says, against prices of matches of its days.

    Each quote's match is among `matches`; a quote that comes twice counts once.
    """
    kept, left = before_the_start(dict.fromkeys(quotes), matches, window)
    said, others = at_each_price(params, matches, kept, progress)
    left |= {SOMETHING_ELSE: others} if others else {}
    groups: dict[tuple[str, str], list[_Judged]] = {}
    for one in _blended(said):
        groups.setdefault((one.said.quote.bookmaker, one.said.quote.market), []).append(one)
    return MarketReport(
        CAUTION, MarketBlend.name, len(said) + sum(left.values()), left,
        [_group(*name, group) for name, group in sorted(groups.items())],
    )  # fmt: skip


def _blended(said: Sequence[Said]) -> list[_Judged]:
    """The blend beside each price, fitted on the newest price of each match whose result was knowable by then."""
    made: list[_Judged] = []
    for market in dict.fromkeys(one.quote.market for one in said):
        mine = [one for one in said if one.quote.market == market]
        waiting = sorted(mine, key=lambda one: (one.match.knowable_at, one.quote.quoted_at))
        newest: dict[tuple[str, str], Said] = {}
        blend, place = MarketBlend().fit(*_lessons([])), 0
        for one in mine:
            before = place
            while place < len(waiting) and waiting[place].match.knowable_at <= one.quote.quoted_at:
                newest[waiting[place].quote.external_id, waiting[place].quote.bookmaker] = waiting[place]
                place += 1
            if place > before:
                blend.fit(*_lessons(list(newest.values())))
            view, _ = _lessons([one])
            made.append(_Judged(one, float(blend.p_over(view)[0]), float(blend.mean(view)[0])))
    return made


def _lessons(said: Sequence[Said]) -> tuple[Views, Outcomes]:
    def column(read: Callable[[Said], float]) -> np.ndarray:
        return np.array([read(one) for one in said], dtype=np.float64)

    views = Views(
        column(lambda s: s.model_p), column(lambda s: s.market_p), column(lambda s: s.mean),
        column(lambda s: s.market_mean), column(lambda s: s.sd),
    )  # fmt: skip
    return views, Outcomes(column(lambda s: s.value), column(lambda s: s.beyond))


def _group(bookmaker: str, market: str, judged: Sequence[_Judged]) -> Group:
    said = [one.said for one in judged]
    compared = [_compared(bookmaker, market, name, _selected(judged, name)) for name in SELECTIONS]
    return Group(bookmaker, market, compared, stakes(said), moved(said))


def _selected(judged: Sequence[_Judged], selection: str) -> list[_Judged]:
    if selection == "every":
        return list(judged)
    ordered = judged if selection == "last" else judged[::-1]
    return list({one.said.quote.external_id: one for one in ordered}.values())


def _compared(bookmaker: str, market: str, selection: str, judged: Sequence[_Judged]) -> Compared:
    days = np.array([minutes(one.said.match.start) // 1440 for one in judged], dtype=np.int64)
    decided = np.array([one.said.beyond != 0 for one in judged])
    over = np.array([one.said.beyond > 0 for one in judged])[decided]
    probabilities = {
        "market": [one.said.market_p for one in judged], "model": [one.said.model_p for one in judged],
        "blend": [one.blend_p for one in judged],
    }  # fmt: skip
    losses = {name: _log_losses(np.array(p)[decided], over) for name, p in probabilities.items()}
    errors: dict[str, np.ndarray] = {}
    if market != "winner":
        value = np.array([one.said.value for one in judged])
        means = {
            "market": [one.said.threshold for one in judged], "model": [one.said.mean for one in judged],
            "blend": [one.blend_mean for one in judged],
        }  # fmt: skip
        errors = {name: np.abs(value - np.array(mean)) for name, mean in means.items()}
    ahead = [(one.said.match.start - one.said.quote.quoted_at).total_seconds() / 60 for one in judged]
    return Compared(
        bookmaker, market, selection, len(judged), len({one.said.quote.external_id for one in judged}),
        int((~decided).sum()), float(np.median(ahead)),
        float(np.mean([overround((one.said.quote.over, one.said.quote.under)) for one in judged])),
        {name: day_block_mean(loss, days[decided]) for name, loss in losses.items()},
        _differences(losses, days[decided]), {name: day_block_mean(error, days) for name, error in errors.items()},
        _differences(errors, days),
    )  # fmt: skip


def _log_losses(p: np.ndarray, over: np.ndarray) -> np.ndarray:
    return np.asarray(-np.log(np.maximum(np.where(over, p, 1 - p), TINY)))


def _differences(values: dict[str, np.ndarray], days: np.ndarray) -> dict[str, Estimate]:
    """Each less the market's, on the same prices."""
    return {name: day_block_mean(values[name] - values["market"], days) for name in values if name != "market"}
