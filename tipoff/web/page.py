"""How pages are answered: with what every page shows, an ETag, and never kept as fresh."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tipoff.api.access import Principal, Scope
from tipoff.api.backend import Backend
from tipoff.api.cache import etag_of, is_same
from tipoff.api.forecasts import OddsFormat, odds
from tipoff.api.problems import ProblemError
from tipoff.api.routing import backend_of
from tipoff.api.sessions import COOKIE
from tipoff.settings import Settings
from tipoff.web import ask, words
from tipoff.web.assets import Assets
from tipoff.web.freshness import freshness, lost, unknown
from tipoff.web.monograms import monogram
from tipoff.web.preferences import Preferences, preferences

TEMPLATES = Path(__file__).parent / "templates"
CACHED = "private, no-cache"
SOURCE_EVERY = 30.0
"""seconds after which it is asked again where the matches come from"""


@dataclasses.dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page: what they chose, whether they are signed in and what they may do."""

    chosen: Preferences
    name: str | None
    scope: Scope | None
    token: str

    @property
    def operates(self) -> bool:
        """Whether they may start, cancel and retry jobs."""
        return self.scope is not None and self.scope.includes(Scope.OPERATE)

    @property
    def administers(self) -> bool:
        """Whether they may make keys."""
        return self.scope is Scope.ADMIN


class Pages:
    """One for a process: templates, files, and what every page is told."""

    def __init__(self, settings: Settings) -> None:
        self.assets = Assets()
        self._league, self._asked = league_words(settings.league_label or settings.source), -1e9
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        self._templates.globals.update(
            asset=self.assets.address, modules=list(self.assets.modules()), link=ask.path, monogram=monogram,
        )  # fmt: skip
        self._templates.filters.update(
            number=words.number, signed=words.signed, percent=words.percent, span=words.span, odds=words.odds,
            interval=words.interval, moment=words.moment, pairs=_pairs,
        )  # fmt: skip

    async def page(
        self, request: Request, template: str, values: Mapping[str, Any], *, status: int = 200,
        sources: list[ask.Answer] | None = None,
    ) -> Response:  # fmt: skip
        """The page; `sources` are the answers that it shows: where one is stale, the page says so."""
        await self._look_at_source(request)
        health = await ask.get(request, "/api/system/health")
        now = dt.datetime.now(dt.UTC)
        stale = max((one.age for one in sources or [] if one.stale), default=None)
        fresh = freshness(health, stale, now)
        if fresh.kind == "fresh" and backend_of(request).away is not None:  # the report is of before
            fresh = lost(fresh.status)
        return self._answer(request, template, {**values, "fresh": fresh, "now": now}, status)

    async def _look_at_source(self, request: Request) -> None:
        """Ask now and then what the archive calls what it holds: settings of this process may say otherwise."""
        if time.monotonic() - self._asked > SOURCE_EVERY:
            self._asked = time.monotonic()
            status = await ask.get(request, "/api/system/status")
            if status.ok:
                seen = status.data["data_source"] or ""
                self._league = league_words("league" if status.data["simulated"] else seen)

    def problem(self, problem: ProblemError, request: Request) -> Response:
        """An error as a page; it asks nothing, as perhaps nothing answers."""
        values = {"problem": problem, "fresh": unknown(), "now": dt.datetime.now(dt.UTC), "nav": ""}
        answer = self._answer(request, "problem.html", values, problem.status)
        answer.headers.update({**problem.headers, "Cache-Control": "no-store"})
        return answer

    def _answer(self, request: Request, template: str, values: Mapping[str, Any], status: int) -> Response:
        viewer = viewer_of(request)
        text = self._templates.get_template(template).render(
            {**values, "viewer": viewer, "chosen": viewer.chosen, "here": here(request),
             "request_id": request.scope["request_id"], "league": self._league,
             **_timely(viewer.chosen, values["now"])}
        )  # fmt: skip
        body = text.encode("utf-8", "replace")
        etag = etag_of(body)
        control = CACHED if viewer.name is None else "private, no-store"  # nobody else goes back to it
        headers = {"ETag": etag.decode(), "Cache-Control": control, "Vary": "Cookie"}
        if status == 200 and is_same(etag, request.headers.get("if-none-match", "").encode("latin-1") or None):
            return Response(status_code=304, headers=headers)
        return HTMLResponse(body, status, headers)


def viewer_of(request: Request) -> Viewer:
    """Who looks."""
    principal: Principal | None = request.scope.get("principal")
    cookie = request.cookies.get(COOKIE)
    backend: Backend = request.scope["backend"]
    signed_in = cookie is not None and principal is not None and principal.scope is not None
    return Viewer(
        preferences(request.cookies), principal.name if signed_in and principal else None,
        principal.scope if principal else None, backend.sessions.token(cookie) if signed_in and cookie else "",
    )  # fmt: skip


def here(request: Request) -> str:
    """The page's own address, to come back to."""
    query = request.scope["query_string"].decode("latin-1")
    raw: bytes = request.scope["raw_path"]
    return raw.decode("latin-1") + (f"?{query}" if query else "")


def league_words(source: str) -> str:
    """What every page says of where the matches come from, unless they are the real league's.

    >>> league_words("recorded-days")[:13], league_words("league-7")[:16], league_words("h2h-2026")
    ('Recorded days', 'Simulated league', '')
    """
    if source.startswith("recorded"):
        return "Recorded days: matches that were really played, replayed from files"
    return "Simulated league: players, teams and results are invented" if source.startswith("league") else ""


def _timely(chosen: Preferences, now: dt.datetime) -> dict[str, Any]:
    """What templates need to write times in the viewer's zone."""
    tz = chosen.tz

    def local(moment: Any, form: str = "%H:%M") -> str:
        at = words.moment(moment)
        return words.MISSING if at is None else at.astimezone(tz).strftime(form)

    def ago(moment: Any) -> str:
        return words.ago(moment, now)

    def fair(decimal: float | None) -> str:
        return words.odds(None if decimal is None else odds(decimal, OddsFormat(chosen.odds)))

    return {"local": local, "ago": ago, "fair": fair, "zone": chosen.zone}


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Parameters of an address but for those that are empty."""
    return [(name, value) for name, value in values.items() if value not in (None, "", False)]
