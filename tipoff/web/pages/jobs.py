"""`/jobs`: what runs, what waits, what came of the rest; operators start jobs here."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.access import Scope
from tipoff.api.problems import ProblemError
from tipoff.web import ask, forms
from tipoff.web.page import Pages
from tipoff.web.pages.operations import BY_NAME, OPERATIONS, Operation, start, titled
from tipoff.web.remaining import Remaining, remaining
from tipoff.web.routing import Page

ROWS = 30
STATUSES = ("running", "pending", "completed", "failed", "cancelled")
SHOWN_AGAIN = (409, 422)
"""problems of starting that are shown over the form that was sent"""


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """A job that was not started: which operation, as it was filled in, why, and the live job that is in its way."""

    operation: Operation
    answer: ask.Answer

    @property
    def live(self) -> str:
        """Its page, or nothing."""
        return self.answer.headers.get("location", "").removeprefix("/api")

    @property
    def why(self) -> list[str]:
        """What was wrong, a sentence each."""
        errors = self.answer.data.get("errors") or []
        return [f"{e['where']}: {e['detail']}" for e in errors] or [self.answer.problem]


async def show(request: Request) -> Response:
    """Counters that filter, the list, and how long each type took."""
    return await _page(request)


async def begin(request: Request) -> Response:
    """Start a job and lead to it; where one is in its way, say so and lead to that one."""
    fields = await forms.read_form(request)
    operation = BY_NAME.get(request.path_params["operation"])
    if operation is None:
        raise ProblemError(404, "there is no such operation")
    answer = await start(request, operation, fields)
    if answer.status in SHOWN_AGAIN:
        return await _page(request, Refused(operation.filled(fields), answer))
    return forms.see_other(ask.path("jobs", answer.needed()["job_id"]))


async def _page(request: Request, refused: Refused | None = None) -> Response:
    pages: Pages = request.app.state.pages
    wanted = {name: request.query_params.get(name, "") for name in ("status", "job_type")}
    cursor = request.query_params.get("cursor")
    jobs, stats = await ask.all_of(
        ask.get(request, "/api/jobs", limit=ROWS, cursor=cursor, **wanted),
        ask.get(request, "/api/system/job-stats"),
    )
    page = jobs.needed()
    took = {row["type"]: row for row in stats.data["items"]} if stats.ok else {}
    values = {
        "nav": "jobs", "rows": page["items"], "next": page["next_cursor"], "totals": page["totals"],
        "statuses": STATUSES, "wanted": wanted, "begun": bool(cursor), "stats": stats, "took": took,
        "longest": max((row["seconds_p50_24h"] or 0.0 for row in took.values()), default=0.0),
        "types": [("", "Every type"), *((name, titled(name)) for name in sorted({*took, *_asked(wanted)}))],
        "ends": _ends(page["items"], took), "titled": titled, "refused": refused,
        "operations": [refused.operation if refused and o.name == refused.operation.name else o for o in OPERATIONS],
    }  # fmt: skip
    status = refused.answer.status if refused else 200
    return await pages.page(request, "jobs.html", values, sources=[jobs, stats], status=status)


def _asked(wanted: Mapping[str, str]) -> list[str]:
    return [wanted["job_type"]] if wanted["job_type"] else []


def _ends(rows: list[dict[str, Any]], took: Mapping[str, Mapping[str, Any]]) -> dict[str, Remaining | None]:
    """When each running job will have ended, by its id."""
    now = dt.datetime.now(dt.UTC)
    expected = {name: row["seconds_p50_24h"] for name, row in took.items()}
    return {
        job["job_id"]: remaining(job, expected.get(job["job_type"]), now)
        for job in rows
        if job["status"] == "running"
    }


PAGES = (Page("/jobs", show), Page("/jobs/start/{operation}", begin, Scope.OPERATE, "POST"))
