"""`/players` and `/players/{handle}`: how strong, how sure that is, in what form, with which team, against whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.forecasts import HALF_80
from tipoff.web import ask, words
from tipoff.web.charts import form, series
from tipoff.web.page import Pages
from tipoff.web.pages.match import results
from tipoff.web.pages.upcoming import NEWCOMER
from tipoff.web.routing import Page

ROWS = 50
SEALED = 40
"""sealed forecasts of a player that are asked for, so that the last matches have theirs"""


async def board(request: Request) -> Response:
    """Everybody, strongest first."""
    pages: Pages = request.app.state.pages
    query = request.query_params
    search, cursor = query.get("search", "").strip(), query.get("cursor")
    listed = await ask.get(request, "/api/players", search=search, limit=ROWS, cursor=cursor)
    page = listed.needed()
    first = whole(query.get("first")) if cursor else 1
    values = {
        "nav": "players", "rows": page["items"], "next": page["next_cursor"], "search": search,
        "begun": bool(cursor), "first": None if search else first, "scale": scale(page["items"]),
    }  # fmt: skip
    return await pages.page(request, "players.html", values, sources=[listed])


async def show(request: Request) -> Response:
    """One player."""
    pages: Pages = request.app.state.pages
    handle = request.path_params["handle"]
    detail, coming, sealed = await ask.all_of(
        ask.get(request, ask.path("api", "players", handle)),
        ask.get(request, "/api/upcoming-matches", player=handle, limit=10),
        ask.get(request, "/api/record/forecasts", player=handle, limit=SEALED),
    )
    player = detail.needed()
    seen = results(handle, player["form"])
    values = {
        "nav": "players", "player": player, "coming": coming, "sealed": by_match(sealed),
        "unsealed": unsealed(sealed), "newcomer": NEWCOMER,
        "strength": _strength(player["history"]), "pills": form.chart(seen), "form_table": form.table(seen),
    }  # fmt: skip
    return await pages.page(request, "player.html", values, sources=[detail, coming, sealed])


def whole(text: str | None) -> int:
    """A place in a list as an address says it; 1 where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 1


def scale(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """From the lowest end of an interval of strength to the highest, and 0."""
    ends = [row[end] for row in rows for end in ("strength_low", "strength_high") if row[end] is not None]
    return (min(0.0, *ends), max(0.0, *ends)) if ends else (0.0, 1.0)


def by_match(sealed: ask.Answer) -> dict[str, Mapping[str, Any]]:
    """Sealed forecasts by the match they are of; none where they cannot be asked for."""
    return {one["external_id"]: one for one in sealed.data["items"]} if sealed.ok else {}


def unsealed(sealed: ask.Answer) -> str:
    """What is said of a match that is not among the sealed forecasts."""
    if not sealed.ok:
        return "forecasts cannot be shown now"
    return f"no forecast was sealed {sealed.data['horizon']} min before"


def _strength(history: Sequence[Mapping[str, Any]]) -> dict[str, Markup] | None:
    """How the strength developed, as sealed forecasts used it."""
    points = []
    for one in history:
        at, half = words.moment(one["at"]), HALF_80 * one["strength_sd"]
        if at is not None:
            value = one["strength"]
            points.append(series.Point(at, value, value - half, value + half, one["matches"]))
    if not points:
        return None
    title = "Strength over time, points against the mean player"
    lines, level = (
        [series.Series("Strength, with its 80% interval", "a", points)],
        [series.Reference("mean player", 0.0)],
    )
    return {
        "chart": series.chart(lines, level, chart_id="strength", title=title),
        "table": series.table(lines, level, caption=title),
    }


PAGES = (Page("/players", board), Page("/players/{handle:name}", show))
