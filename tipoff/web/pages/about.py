"""`/about`: how forecasts are made, what they are not, where the data comes from, what the words mean."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tipoff.web.page import Pages
from tipoff.web.routing import Page


async def show(request: Request) -> Response:
    """The page."""
    pages: Pages = request.app.state.pages
    return await pages.page(request, "about.html", {"nav": "about"})


PAGES = (Page("/about", show, None),)
