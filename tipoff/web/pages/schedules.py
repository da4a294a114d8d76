"""`/schedules`: what runs by itself, what each does, when next, and what came of it last."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tipoff.web import ask
from tipoff.web.page import Pages
from tipoff.web.pages.operations import titled
from tipoff.web.routing import Page


async def show(request: Request) -> Response:
    """The regular tasks, soonest first; those that are switched off last."""
    pages: Pages = request.app.state.pages
    found = await ask.get(request, "/api/schedules")
    rows = sorted(found.needed()["items"], key=lambda row: (not row["enabled"], row["next_at"] or "", row["name"]))
    values = {"nav": "jobs", "rows": rows, "titled": titled}
    return await pages.page(request, "schedules.html", values, sources=[found])


PAGES = (Page("/schedules", show),)
