"""`/api/health`, `/api/system/status`, `/api/system/job-stats`."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

import tipoff
from tipoff.api import answers
from tipoff.api.access import Scope
from tipoff.api.routing import backend_of, described, router
from tipoff.api.system.schemas import Alive, Champion, JobStats, Rows, Status, TypeStats
from tipoff.pipeline.code import code_version
from tipoff.storage import models, overview
from tipoff.storage.migrations import files
from tipoff.storage.pool import Connection

routes = router("system")


@routes.get("/api/health", operation_id="health", **described(None, Alive, "Is this process alive?"))
async def health(request: Request) -> Response:
    """Liveness: always 200 while the process serves; asks nothing that could be slow."""
    why = backend_of(request).away
    said = Alive(
        status="ok" if why is None else "degraded", database="ok" if why is None else "away", detail=why,
        version=tipoff.__version__,
    )  # fmt: skip
    return Response(said.model_dump_json(), headers={"Cache-Control": "no-store"}, media_type=answers.JSON)


@routes.get(
    "/api/system/status", operation_id="system_status",
    **described(Scope.READ, Status, "Versions, rows, champion, last refresh", cached=True),
)  # fmt: skip
def system_status(request: Request) -> Response:
    """What this installation is and holds, and how fresh that is."""
    settings = backend_of(request).settings

    def question(connection: Connection) -> Status:
        found = overview.overview(connection)
        active = models.champion(connection)
        return Status(
            version=tipoff.__version__, code_version=code_version(), database_version=found.database_version,
            schema_version=found.schema_version, schema_expected=files()[-1][0], source=settings.source,
            simulated=simulated(settings.source, found.data_source), data_source=found.data_source,
            league_label=settings.league_label, horizons=settings.horizons,
            rows={name: Rows(rows=rows, exact=exact) for name, (rows, exact) in found.rows.items()},
            champion=Champion(
                version=active.version, sha256=active.sha256, trained_at=active.created_at,
                activated_at=active.activated_at,
            ) if active else None,
            last_refresh=found.last_refresh, newest_result=found.newest_result, as_of=found.as_of,
        )  # fmt: skip

    return answers.read(request, ("jobs", "matches", "models"), question)


@routes.get(
    "/api/system/job-stats", operation_id="job_stats",
    **described(Scope.READ, JobStats, "Counts, rates and durations of jobs", cached=True),
)  # fmt: skip
def job_stats(request: Request) -> Response:
    """By type: how many of each status; success rate and durations of the last 24 hours."""
    service = backend_of(request).jobs

    def question(connection: Connection) -> JobStats:
        items = [TypeStats.model_validate(values) for values in service.statistics(connection)]
        return JobStats(items=items, as_of=overview.now(connection))

    return answers.read(request, ("jobs",), question, seconds=2.0)


def simulated(source: str, data_source: str | None) -> bool:
    """Whether nobody plays the matches: by the setting, or by what the archive calls what answered last.

    >>> simulated("h2h-2026", "league-7"), simulated("league", "recorded-days"), simulated("h2h-2026", "h2h-2026")
    (True, False, False)
    """
    label = data_source or source
    return label.startswith("league") or (source == "league" and not label.startswith("recorded"))
