"""`/teams` and `/teams/{team}`: what a team itself is worth, whoever plays with it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tipoff.web import ask
from tipoff.web.page import Pages
from tipoff.web.pages.players import scale
from tipoff.web.pages.upcoming import NEWCOMER
from tipoff.web.routing import Page

ROWS = 50


async def board(request: Request) -> Response:
    """Every team, strongest first."""
    pages: Pages = request.app.state.pages
    cursor = request.query_params.get("cursor")
    listed = await ask.get(request, "/api/teams", limit=ROWS, cursor=cursor)
    page = listed.needed()
    values = {
        "nav": "teams", "rows": page["items"], "next": page["next_cursor"], "begun": bool(cursor),
        "scale": scale(page["items"]),
    }  # fmt: skip
    return await pages.page(request, "teams.html", values, sources=[listed])


async def show(request: Request) -> Response:
    """One team."""
    pages: Pages = request.app.state.pages
    name = request.path_params["team"]
    detail, coming = await ask.all_of(
        ask.get(request, ask.path("api", "teams", name)),
        ask.get(request, "/api/upcoming-matches", team=name, limit=10),
    )
    values = {"nav": "teams", "team": detail.needed(), "coming": coming, "newcomer": NEWCOMER}
    return await pages.page(request, "team.html", values, sources=[detail, coming])


PAGES = (Page("/teams", board), Page("/teams/{team:name}", show))
