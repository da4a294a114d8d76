"""The pages, and where they are."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from tipoff.api import problems
from tipoff.api.backend import Backend
from tipoff.api.problems import ProblemError
from tipoff.api.routing import backend_of
from tipoff.web.forms import need
from tipoff.web.page import Pages
from tipoff.web.pages import (
    about,
    chosen,
    h2h,
    health,
    job,
    jobs,
    keys,
    live,
    match,
    model,
    models,
    players,
    record,
    schedules,
    signin,
    teams,
    upcoming,
)
from tipoff.web.routing import Page

MODULES = (
    upcoming, live, match, record, players, teams, h2h, models, model, jobs, job, schedules, health, keys, about,
    signin, chosen,
)  # fmt: skip
PAGES: tuple[Page, ...] = tuple(page for module in MODULES for page in module.PAGES)


class Site:
    """One for a process."""

    def __init__(self, backend: Backend) -> None:
        self.pages = Pages(backend.settings)

    def install(self, app: FastAPI) -> None:
        """Serve the pages; errors of their addresses are pages too."""
        app.state.pages = self.pages
        app.router.routes.append(Route("/static/{name}", self.pages.assets.serve))
        for page in PAGES:
            app.router.routes.append(Route(page.path, _checked(page), methods=[page.method]))
        for kind in problems.KINDS:
            app.add_exception_handler(kind, self._handled)

    async def _handled(self, request: Request, error: Exception) -> Response:
        if request.scope["path"].startswith("/api/"):
            return await problems.handled(request, error)
        return self.pages.problem(problems.problem_at(request, error), request)

    def shown(self, problem: ProblemError, scope: Scope) -> Response:
        """A problem that the front found, as a page."""
        return self.pages.problem(problem, Request(scope))


def _checked(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The page for those who may see it."""

    @functools.wraps(page.answer)
    async def answer(request: Request) -> Response:
        if page.scope is not None and not (page.reads and backend_of(request).settings.open_reads):
            need(request, page.scope)
        return await page.answer(request)

    return answer
