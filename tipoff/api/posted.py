"""What a forecast says of prices that are fresh: edge and expected value, with the moment of each price."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tipoff.api.forecasts import DIGITS
from tipoff.api.matches.schemas import MarketName, Posted, PostedSide
from tipoff.domain.quote import Quote
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.markets import against_posted, is_of_something_else
from tipoff.storage import overview, quotes
from tipoff.storage.pool import Connection


def fresh(
    connection: Connection, distributions: Mapping[str, ScoreDistribution], minutes: float
) -> dict[str, list[Posted]]:
    """The newest price of each bookmaker's market that is no older than that, by match; [] where there is none.

    The matches have not begun. What is beside the point of the match as a whole is left out.
    """
    found: dict[str, list[Posted]] = {external_id: [] for external_id in distributions}
    now = overview.now(connection)
    for quote in quotes.newest_of(connection, list(found), now - dt.timedelta(minutes=minutes), now):
        d = distributions[quote.external_id]
        if not is_of_something_else(d, quote.market, quote.line):
            found[quote.external_id].append(_posted(quote, d))
    return found


def _posted(quote: Quote, d: ScoreDistribution) -> Posted:
    against = against_posted(d, quote.market, quote.line, (quote.over, quote.under))
    return Posted(
        bookmaker=quote.bookmaker, market=MarketName(quote.market), line=quote.line, quoted_at=quote.quoted_at,
        over=_side(against["over"]), under=_side(against["under"]),
    )  # fmt: skip


def _side(values: Mapping[str, Any]) -> PostedSide:
    return PostedSide(
        price=values["price"],
        **{name: round(values[name], DIGITS) for name in ("probability", "market_probability", "edge", "expected")},
    )  # fmt: skip
