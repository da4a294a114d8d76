"""Fresh prices in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from tipoff.api.routing import backend_of
from tipoff.web.words import signed

TOTALS = {"total": "Total points", "team_total_a": "Points of {a}", "team_total_b": "Points of {b}"}


def oldest(request: Request) -> dt.datetime:
    """Before this moment a price is no longer fresh."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=backend_of(request).settings.fresh_price)


def sided(match: Mapping[str, Any], posted: Sequence[Mapping[str, Any]], since: dt.datetime) -> list[dict[str, Any]]:
    """The prices of a match with the market's name, each side with what it is a bet on.

    Those posted before `since` are left out: while the database is away the answer may be of long ago.
    """
    a, b = match["player_a"], match["player_b"]
    posted = [one for one in posted if dt.datetime.fromisoformat(one["quoted_at"]) >= since]
    return [
        {**one, "name": _name(one["market"], one["line"], a, b),
         **{side: {**one[side], "on": _on(one["market"], one["line"], side, a, b)} for side in ("over", "under")}}
        for one in posted
    ]  # fmt: skip


def _name(market: str, line: float | None, a: str, b: str) -> str:
    if market == "winner" or line is None:
        return "winner"
    if market == "spread":
        return f"{a} {signed(line)}"
    return f"{TOTALS[market].format(a=a, b=b)} {line:.1f}"


def _on(market: str, line: float | None, side: str, a: str, b: str) -> str:
    """Over is side A for the winner and the spread."""
    name = a if side == "over" else b
    if market == "winner" or line is None:
        return f"{name} wins"
    if market == "spread":
        return f"{name} {signed(line if side == 'over' else 0.0 - line)}"
    return f"{TOTALS[market].format(a=a, b=b)} {side} {line:.1f}"
