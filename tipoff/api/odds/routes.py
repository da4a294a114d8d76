"""`/api/odds`."""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.forecasts import DIGITS
from tipoff.api.matches.routes import LINK, Cursor, Limit
from tipoff.api.matches.schemas import MarketName, Moment
from tipoff.api.odds.schemas import QuotePage, QuoteRow
from tipoff.api.routing import LONGEST_NAME, STORED, Format, described, router
from tipoff.forecast.odds import overround, shin
from tipoff.storage import quotes
from tipoff.storage.pool import Connection

routes = router("odds")


@routes.get(
    "/api/odds", operation_id="list_odds",
    **described(Scope.READ, QuotePage, "Posted prices", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_odds(
    request: Request,
    match: Annotated[
        str | None, Query(max_length=LONGEST_NAME, pattern=STORED, description="Only of the match with that id.")
    ] = None,
    market: Annotated[MarketName | None, Query(description="Only of this market.")] = None,
    book: Annotated[
        str | None, Query(max_length=LONGEST_NAME, pattern=STORED, description="Only of this bookmaker, exactly.")
    ] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Posted at this time or later.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Posted before this time.")] = None,
    in_play: Annotated[
        bool | None, Query(description="Only those posted after the start of their match, or only before it.")
    ] = None,
    limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """Prices that were imported, newest first, as they were posted; what waits for its match is not among them."""
    place: Any = cursors.read(cursor, dt.datetime, int)
    wanted = quotes.Wanted(match, market.value if market else None, book, since, until, in_play)

    def page(connection: Connection, before: Any) -> tuple[list[QuoteRow], Any]:
        found = quotes.page(connection, wanted, limit + 1, before)
        shown = [_row(row) for row in found[:limit]]
        return shown, (shown[-1].quoted_at, found[limit - 1][0]) if len(found) > limit else None

    def made(_: Connection, items: list[QuoteRow], next_cursor: str | None) -> QuotePage:
        return QuotePage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, QuoteRow, page, place, ("matches",), made)


def _row(row: tuple[Any, ...]) -> QuoteRow:
    """A row of `quotes.page`."""
    _, start, external_id, bookmaker, market, line, over, under, quoted_at = row
    prices = (over, under) if math.isfinite(over + under) else None
    return QuoteRow(
        external_id=external_id, start=start, bookmaker=bookmaker, market=MarketName(market), line=line, over=over,
        under=under, quoted_at=quoted_at, in_play=None if start is None else quoted_at >= start,
        p_over=round(shin(prices)[0], DIGITS) if prices else None,
        overround=round(overround(prices), DIGITS) if prices else None,
    )  # fmt: skip
