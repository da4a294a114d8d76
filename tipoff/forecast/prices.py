"""Forecasts against posted prices, on the matches that have both."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tipoff.domain.match import Match
from tipoff.domain.quote import Quote
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.markets import about, is_of_something_else, price
from tipoff.forecast.odds import shin
from tipoff.forecast.table import minutes

COMPARED = ("winner", "total", "spread")


@dataclasses.dataclass(frozen=True, slots=True)
class PriceComparison:
    """One bookmaker's market: log loss of its prices without their margin and of ours; with a line also the MAE.

    `difference` is our log loss less the prices' (below 0: ours is better); points for the errors. Matches
    that ended on the line are in the errors and not in the log losses.
    """

    bookmaker: str
    market: str
    matches: int
    price_log_loss: Estimate
    our_log_loss: Estimate
    difference: Estimate
    line_error: Estimate | None
    our_error: Estimate | None


def last_before(quotes: Iterable[Quote], starts: Mapping[str, dt.datetime]) -> dict[tuple[str, str, str], Quote]:
    """The newest quote of each (bookmaker, market, match) made before the match's start; later ones are left out."""
    last: dict[tuple[str, str, str], Quote] = {}
    for quote in sorted(quotes, key=lambda q: q.quoted_at):
        if quote.external_id in starts and quote.quoted_at < starts[quote.external_id]:
            last[quote.bookmaker, quote.market, quote.external_id] = quote
    return last


Sealed = Sequence[tuple[dt.datetime, ScoreDistribution]]
"""what was sealed for a match, each with its moment"""


def known_then(sealed: Sealed, moment: dt.datetime) -> ScoreDistribution | None:
    """The newest forecast that was sealed by then."""
    earlier = [(at, forecast) for at, forecast in sealed if at <= moment]
    return max(earlier, key=lambda one: one[0])[1] if earlier else None


def compare(
    quotes: Iterable[Quote], sealed: Mapping[str, Sealed], results: Mapping[str, Match]
) -> list[PriceComparison]:
    """Compare by bookmaker and market, on the last quote before the start; prices de-vigged by Shin's method.

    Each with the newest forecast that was sealed before it, so that ours knew nothing that the price could not; a
    quote that came before all of them is left out.
    """
    last = last_before(quotes, {key: match.start for key, match in results.items()})
    groups: dict[tuple[str, str], list[tuple[Quote, ScoreDistribution]]] = {}
    for (bookmaker, market, external_id), quote in sorted(last.items()):
        forecast = known_then(sealed.get(external_id, ()), quote.quoted_at)
        if market in COMPARED and forecast is not None and not is_of_something_else(forecast, market, quote.line):
            groups.setdefault((bookmaker, market), []).append((quote, forecast))
    return [_compared(bookmaker, market, group, results) for (bookmaker, market), group in groups.items()]


def _compared(
    bookmaker: str, market: str, pairs: list[tuple[Quote, ScoreDistribution]], results: Mapping[str, Match]
) -> PriceComparison:
    theirs, ours, days, line_errors, our_errors, all_days = [], [], [], [], [], []
    for quote, forecast in pairs:
        match = results[quote.external_id]
        a, b = match.score_a or 0, match.score_b or 0
        day = minutes(match.start) // 1440
        threshold, mean, _ = about(forecast, market, quote.line)
        value = a + b if market == "total" else a - b
        came = value - threshold
        if market != "winner":
            line_errors.append(abs(came))
            our_errors.append(abs(value - mean))
            all_days.append(day)
        if came == 0:
            continue
        found, implied = price(forecast, market, quote.line), shin((quote.over, quote.under))
        settled = found.over / (found.over + found.under)
        theirs.append(-np.log(implied[0] if came > 0 else implied[1]))
        ours.append(-np.log(max(settled if came > 0 else 1 - settled, 1e-12)))
        days.append(day)
    their_losses, our_losses, blocks = np.array(theirs), np.array(ours), np.array(days, dtype=np.int64)
    points = np.array(all_days, dtype=np.int64)
    lined = market != "winner"
    return PriceComparison(
        bookmaker, market, len(pairs), day_block_mean(their_losses, blocks), day_block_mean(our_losses, blocks),
        day_block_mean(our_losses - their_losses, blocks),
        day_block_mean(np.array(line_errors), points) if lined else None,
        day_block_mean(np.array(our_errors), points) if lined else None,
    )  # fmt: skip
