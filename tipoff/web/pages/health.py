"""`/health`: what is wrong, since when, what to do; how it was; whom it was told. Also while the database is away."""

from __future__ import annotations

import itertools
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.access import Scope
from tipoff.web import ask, forms
from tipoff.web.charts import strip
from tipoff.web.measures import measure
from tipoff.web.page import Pages
from tipoff.web.routing import Page
from tipoff.web.sure import CONFLICT, Question, sure
from tipoff.web.words import moment

HOURS = (("1", "1 h"), ("6", "6 h"), ("24", "24 h"), ("168", "7 days"))
RESOLVED = 20
NAMES = {
    "database": "Database", "data_freshness": "Fresh data", "job_queue": "Jobs and workers", "models": "Model",
    "forecasts": "Sealed forecasts", "resources": "Machines", "artifact_store": "Model files",
}  # fmt: skip
HOLDS = 90.0
"""seconds for which a look says how it is: they come twice a minute"""
BADNESS = {"error": 0, "warning": 1, "healthy": 2}
WORDS = {"healthy": "ok"}
"""statuses as the chart calls them"""


async def show(request: Request) -> Response:
    """Every check, the worst first; the last hours; alerts."""
    pages: Pages = request.app.state.pages
    hours = request.query_params.get("hours", "24")
    hours = hours if hours in dict(HOURS) else "24"
    health, history, live, resolved = await ask.all_of(
        ask.get(request, "/api/system/health"),
        ask.get(request, "/api/system/health/history", hours=hours),
        ask.get(request, "/api/alerts", state="live", limit=50),
        ask.get(request, "/api/alerts", state="resolved", limit=RESOLVED),
    )
    report = health.needed()
    checks = sorted(report["checks"].items(), key=lambda one: BADNESS[one[1]["status"]])
    values = {
        "nav": "health", "report": report, "checks": checks, "hours": hours, "choices": HOURS, "history": history,
        "strip": drawn(history, hours), "live": live, "resolved": resolved, "measure": measure, "called": called,
        "looks": sum(one["reports"] for one in history.data["items"]) if history.ok else 0,
        "well": sum(one["healthy"] for one in history.data["items"]) if history.ok else 0,
    }  # fmt: skip
    return await pages.page(request, "health.html", values)


def called(check: str) -> str:
    """The name of a check as people read it.

    >>> called("job_queue"), called("new_check")
    ('Jobs and workers', 'New check')
    """
    return NAMES.get(check) or check.replace("_", " ").capitalize()


def drawn(history: ask.Answer, hours: str) -> dict[str, Any] | None:
    """The history as a strip a check, and as a table; None where it cannot be told or nobody looked."""
    if not history.ok or not history.data["items"]:
        return None
    items, seconds = history.data["items"], history.data["seconds"]
    begins = [at for one in items if (at := moment(one["at"])) is not None]
    lasts = [min((later - at).total_seconds(), HOLDS) for at, later in itertools.pairwise(begins)]
    stretches = [
        strip.Stretch(at, {called(name): WORDS.get(said, said) for name, said in sorted(one["checks"].items())},
                      max(seconds, last))
        for one, at, last in zip(items, begins, [*lasts, seconds], strict=True)
    ]  # fmt: skip
    title = f"Health over the last {dict(HOURS)[hours]}"
    return {
        "chart": strip.chart(stretches, chart_id="history", title=title),
        "table": strip.table(stretches, caption=title),
    }


async def look(request: Request) -> Response:
    """Look now, and show what was found."""
    await forms.read_form(request)
    (await ask.get(request, "/api/system/health", fresh=True)).needed()
    return forms.see_other("/health")


async def ask_acknowledge(request: Request) -> Response:
    """Does somebody take care of it?"""
    return await sure(request, _question(await _alert(request)))


async def acknowledge(request: Request) -> Response:
    """Somebody takes care of it."""
    await forms.read_form(request)
    answer = await ask.post(request, ask.path("api", "alerts", request.path_params["number"], "acknowledge"))
    if answer.status == CONFLICT:
        return await sure(request, _question(await _alert(request), answer.problem))
    answer.needed()
    return forms.see_other("/health#alerts")


async def _alert(request: Request) -> Any:
    return (await ask.get(request, ask.path("api", "alerts", request.path_params["number"]))).needed()


def _question(alert: Any, wrong: str = "") -> Question:
    return Question(
        "health", "Take care of this alert?",
        f"{alert['message']}. Nobody is reminded of it any more unless it gets worse; it is resolved by itself once "
        "it is over.",
        "I take care of it", ask.path("alerts", str(alert["id"]), "acknowledge"), "/health#alerts", wrong,
    )  # fmt: skip


PAGES = (
    Page("/health", show),
    Page("/health/look", look, Scope.OPERATE, "POST"),
    Page("/alerts/{number}/acknowledge", ask_acknowledge, Scope.OPERATE),
    Page("/alerts/{number}/acknowledge", acknowledge, Scope.OPERATE, "POST"),
)
