"""`/live`: matches in play with what was sealed of them, and the newest results with whether it was right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tipoff.web import ask
from tipoff.web.page import Pages
from tipoff.web.pages.match import what_was_said
from tipoff.web.pages.players import by_match, unsealed
from tipoff.web.pages.upcoming import NEWCOMER
from tipoff.web.routing import Page

RESULTS, SEALED = 20, 60
"""results that are shown, and sealed forecasts among which theirs are looked up"""


async def show(request: Request) -> Response:
    """What is played now, and what was played last."""
    pages: Pages = request.app.state.pages
    live, last, sealed = await ask.all_of(
        ask.get(request, "/api/live-scores"),
        ask.get(request, "/api/matches", status="final", limit=RESULTS),
        ask.get(request, "/api/record/forecasts", limit=SEALED),
    )
    values = {
        "nav": "live", "rows": [in_play(row) for row in live.needed()["items"]], "last": last,
        "sealed": by_match(sealed), "unsealed": unsealed(sealed), "newcomer": NEWCOMER,
    }  # fmt: skip
    return await pages.page(request, "live.html", values, sources=[live, last, sealed])


def in_play(row: Mapping[str, Any]) -> dict[str, Any]:
    """A match in play as a row of matches: its forecast is what was sealed last before it."""
    said = what_was_said({**row, "forecast": None})
    forecast = None
    if said is not None:
        low, high = said.total
        forecast = {
            "p_a": said.p_a, "p_b": 1 - said.p_a, "score_a": said.d.mean_a, "score_b": said.d.mean_b,
            "total_mean": said.d.total_mean, "total_low": low, "total_high": high, "known_a": None, "known_b": None,
            "fair_a": 1 / said.p_a if said.p_a > 0 else None, "fair_b": 1 / (1 - said.p_a) if said.p_a < 1 else None,
        }  # fmt: skip
    return {**row, "forecast": forecast, "sealed": [seal["horizon"] for seal in row["seals"]]}


PAGES = (Page("/live", show),)
