"""`/jobs/{id}`: one job whole; operators cancel it or let it run again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.access import Scope
from tipoff.web import ask, forms
from tipoff.web.charts import timeline
from tipoff.web.documents import pretty
from tipoff.web.page import Pages
from tipoff.web.pages.operations import titled
from tipoff.web.remaining import remaining
from tipoff.web.routing import Page
from tipoff.web.sure import CONFLICT, Question, sure
from tipoff.web.words import moment

LINES = 200
CANCEL = {
    "pending": "It waits for a worker: it is cancelled at once.",
    "running": "It is asked to stop and ends at the next place where it can; what it has completed stays.",
}


async def show(request: Request) -> Response:
    """State, timeline, steps, arguments, error, result and log."""
    pages: Pages = request.app.state.pages
    job_id = request.path_params["job_id"]
    answer, log = await ask.all_of(
        ask.get(request, ask.path("api", "jobs", job_id)),
        ask.get(request, ask.path("api", "jobs", job_id, "log"), limit=LINES, cursor=request.query_params.get("log")),
    )
    job = answer.needed()
    now = dt.datetime.now(dt.UTC)
    values = {
        "nav": "jobs", "job": job, "title": titled(job["job_type"]), "log": log,
        "remaining": remaining(job, job["expected_seconds"], now), "timeline": drawn(job, now), "pretty": pretty,
        "may_cancel": job["status"] in CANCEL and job["cancel_requested_at"] is None,
        "may_retry": job["status"] in ("failed", "cancelled"), "cancel_words": CANCEL.get(job["status"], ""),
    }  # fmt: skip
    return await pages.page(request, "job.html", values, sources=[answer, log])


def drawn(job: Mapping[str, Any], now: dt.datetime) -> dict[str, Markup]:
    """Where its time went, as a picture and as a table."""
    created = moment(job["created_at"])
    assert created is not None  # noqa: S101 - every job was made
    steps = [
        timeline.Step(step["step"], begun, moment(step["finished_at"]))
        for step in job["steps"]
        if (begun := moment(step["started_at"])) is not None
    ]
    data = timeline.Timeline(created, moment(job["started_at"]), moment(job["finished_at"]), steps)
    return {"chart": timeline.chart(data, now, chart_id="timeline"), "table": timeline.table(data, now)}


async def ask_cancel(request: Request) -> Response:
    """Is that one to be cancelled?"""
    job = await _job(request)
    return await sure(request, _question(job, "cancel"))


async def cancel(request: Request) -> Response:
    """Cancel it, and look at it."""
    return await _changed(request, "cancel")


async def ask_retry(request: Request) -> Response:
    """Is that one to run again?"""
    job = await _job(request)
    return await sure(request, _question(job, "retry"))


async def retry(request: Request) -> Response:
    """Let it wait again, and look at it."""
    return await _changed(request, "retry")


async def _job(request: Request) -> Any:
    return (await ask.get(request, ask.path("api", "jobs", request.path_params["job_id"]))).needed()


async def _changed(request: Request, what: str) -> Response:
    await forms.read_form(request)
    job_id = request.path_params["job_id"]
    answer = await ask.post(request, ask.path("api", "jobs", job_id, what))
    if answer.status == CONFLICT:
        return await sure(request, _question(await _job(request), what, answer.problem))
    answer.needed()
    return forms.see_other(ask.path("jobs", job_id))


def _question(job: Mapping[str, Any], what: str, wrong: str = "") -> Question:
    name, back = titled(job["job_type"]), ask.path("jobs", job["job_id"])
    action = ask.path("jobs", job["job_id"], what)
    if what == "cancel":
        text = CANCEL.get(job["status"], f"It has ended already: it is {job['status']}.")
        return Question("jobs", f"Cancel this job ({name})?", text, "Cancel the job", action, back, wrong)
    text = "It waits again, with all its attempts; steps that were completed are not done again."
    return Question("jobs", f"Run this job again ({name})?", text, "Run it again", action, back, wrong)


PAGES = (
    Page("/jobs/{job_id}", show),
    Page("/jobs/{job_id}/cancel", ask_cancel, Scope.OPERATE),
    Page("/jobs/{job_id}/cancel", cancel, Scope.OPERATE, "POST"),
    Page("/jobs/{job_id}/retry", ask_retry, Scope.OPERATE),
    Page("/jobs/{job_id}/retry", retry, Scope.OPERATE, "POST"),
)
