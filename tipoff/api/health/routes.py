"""`/api/system/health` and its history."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tipoff.api import answers
from tipoff.api.access import Scope
from tipoff.api.health.schemas import Health, History, Stretch
from tipoff.api.routing import described, router
from tipoff.health.monitor import Monitor
from tipoff.health.report import Report
from tipoff.storage import reports
from tipoff.storage.pool import Connection

routes = router("system")


class Looks:
    """The monitor's reports for requests: whoever waits for a look costs no thread."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor, self._turn = monitor, asyncio.Lock()

    async def report(self, fresh: bool) -> Report:
        """What is known, or what a look finds now."""
        if not fresh and self._monitor.knows:
            return self._monitor.latest()
        async with self._turn:
            return await run_in_threadpool(self._monitor.fresh)


@routes.get(
    "/api/system/health",
    operation_id="system_health",
    **described(Scope.READ, Health, "Is everything as it should be?"),
)
async def system_health(
    request: Request,
    fresh: Annotated[bool, Query(description="Look now instead of telling the newest look.")] = False,
) -> Response:
    """Every check with its status, what to do, and since when; also while the database is away."""
    looks: Looks = request.app.state.looks
    report = await looks.report(fresh)
    body = Health.model_validate(report.as_json()).model_dump_json()
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=answers.JSON)


@routes.get(
    "/api/system/health/history", operation_id="health_history",
    **described(Scope.READ, History, "How the checks did over the last hours", cached=True),
)  # fmt: skip
def health_history(
    request: Request, hours: Annotated[int, Query(ge=1, le=168, description="Hours before now.")] = 24
) -> Response:
    """Stretches of the past with the worst status of each check."""

    def question(connection: Connection) -> History:
        found = reports.history(connection, hours)
        looks = sum(one.reports for one in found)
        share = sum(one.healthy for one in found) / looks if looks else None
        return History(
            hours=hours, seconds=3600 * hours / reports.BUCKETS,
            healthy_share=None if share is None else round(share, 4),
            items=[Stretch.model_validate(one, from_attributes=True) for one in found],
        )  # fmt: skip

    return answers.read(request, ("health",), question, seconds=15.0)
