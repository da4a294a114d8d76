"""`/api/jobs` and the four operations that start one."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Body, Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Principal, Scope
from tipoff.api.backend import Backend
from tipoff.api.jobs.schemas import (
    Attempt,
    CleanedUp,
    Estimate,
    JobDetail,
    JobLine,
    JobLog,
    JobPage,
    JobRow,
    JobStarted,
    JobStep,
    Monitoring,
    PipelineRequest,
)
from tipoff.api.matches.routes import LINK, Cursor, Limit
from tipoff.api.problems import ProblemError
from tipoff.api.routing import STORED, Format, backend_of, described, router
from tipoff.domain.job import Job, JobStatus
from tipoff.errors import InputError
from tipoff.storage import jobs
from tipoff.storage.pool import Connection

TOPIC = ("jobs",)
SECONDS = 1.0
EVERY = 2**31 - 1
routes = router("jobs")
STARTS: dict[str, Any] = {"status": 202, "problems": [409, 413], "headers": {"Location": "Address of the job."}}


@routes.post(
    "/api/run-pipeline", operation_id="run_pipeline",
    **described(Scope.OPERATE, JobStarted, "Start the full pipeline", **STARTS),
)  # fmt: skip
def run_pipeline(request: Request, body: Annotated[PipelineRequest | None, Body()] = None) -> Response:
    """Fetch, ingest, statistics, train if asked, predict and seal, grade: as one job. 409 while one is live."""
    return _start(request, "data_pipeline", (body or PipelineRequest.model_validate({})).params())


@routes.post(
    "/api/data/quick-refresh", operation_id="quick_refresh",
    **described(Scope.OPERATE, JobStarted, "Refresh recent days", **STARTS),
)  # fmt: skip
def quick_refresh(
    request: Request,
    refresh_token: Annotated[bool, Query(description="Ask for a new guest token first.")] = False,
    return_predictions: Annotated[bool, Query(description="Put the forecasts into the job's result.")] = True,
) -> Response:
    """Recent days and fixtures, without training, as a job."""
    params = {"refresh_token": refresh_token, "return_predictions": return_predictions}
    return _start(request, "quick_data_refresh", params)


@routes.post(
    "/api/ml/generate-predictions", operation_id="generate_predictions",
    **described(Scope.OPERATE, JobStarted, "Forecast every fixture", **STARTS),
)  # fmt: skip
def generate_predictions(
    request: Request,
    return_predictions: Annotated[bool, Query(description="Put the forecasts into the job's result.")] = True,
) -> Response:
    """Forecast every known fixture with the champion and seal what is due, as a job."""
    return _start(request, "prediction_generation", {"return_predictions": return_predictions})


@routes.post(
    "/api/ml/train", operation_id="train",
    **described(Scope.OPERATE, JobStarted, "Train a model", **STARTS),
)  # fmt: skip
def train(
    request: Request,
    days_back: Annotated[int, Query(ge=2, le=365, description="Days of results to fit on.")] = 30,
    min_matches_per_player: Annotated[int, Query(ge=1, le=1000, description="Players with fewer are left out.")] = 3,
    performance_threshold: Annotated[float, Query(ge=0, lt=1, description="Least share called right.")] = 0.0,
) -> Response:
    """Fit, measure walk-forward, judge by the gate, as a job; it forecasts only if it passes."""
    params = {
        "days_back": days_back, "min_matches_per_player": min_matches_per_player,
        "performance_threshold": performance_threshold,
    }  # fmt: skip
    return _start(request, "model_training", params)


def _start(request: Request, job_type: str, params: Mapping[str, Any]) -> Response:
    backend, principal = backend_of(request), request.scope["principal"]
    request_id: str = request.scope["request_id"]
    answer = answers.write(
        request, "jobs", lambda connection: _started(backend, connection, principal, request_id, job_type, params)
    )
    job_id = answer.headers["location"].rpartition("/")[2]
    backend.log.info("job accepted", request_id=request_id, job_id=job_id, job_type=job_type)
    return answer


def _started(
    backend: Backend, connection: Connection, principal: Principal, request_id: str, job_type: str,
    params: Mapping[str, Any],
) -> tuple[int, JobStarted, dict[str, str]]:  # fmt: skip
    """A job of which one may be live is started once; the same again is that one, another one is in conflict."""
    history = jobs.history(connection, job_type)
    enqueued = backend.jobs.enqueue(
        connection, job_type, params, requested_by=f"api: {principal.name}"[:200], request_id=request_id
    )
    job = backend.jobs.get(connection, enqueued.id)
    here = f"/api/jobs/{job.id}"
    same = job.params == backend.jobs.type_of(job_type).checked(params)
    if not enqueued.new and (job_type == "data_pipeline" or not same):
        raise ProblemError(
            409, f"a {job_type} job is live already: follow it at {here}, or cancel it", headers={"Location": here}
        )
    waits = f"{job_type} waits for a worker" if enqueued.new else f"the same {job_type} was live already: this is it"
    started = JobStarted(
        job_id=job.id, job_type=job.type, status=job.status, message=waits,
        estimated_duration=_estimate(backend, job_type, history), job_status_url=here,
        monitoring=Monitoring(
            status_url=here, cancel_url=f"{here}/cancel", jobs_url=f"/api/jobs?job_type={job_type}"
        ), configuration=job.params,
    )  # fmt: skip
    return 202, started, {"Location": here}


def _estimate(backend: Backend, job_type: str, history: tuple[int, float | None, float | None]) -> Estimate:
    n, median, p95 = history
    basis = f"the last {n} completed {job_type} jobs" if n else f"no {job_type} job has been completed yet"
    return Estimate(seconds=median, seconds_p95=p95, jobs=n, most=backend.jobs.type_of(job_type).seconds, basis=basis)


@routes.get(
    "/api/jobs", operation_id="list_jobs",
    **described(Scope.READ, JobPage, "List jobs", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_jobs(
    request: Request,
    status: Annotated[JobStatus | None, Query(description="Only jobs of this status.")] = None,
    job_type: Annotated[
        str | None, Query(max_length=100, pattern=STORED, description="Only jobs of this type.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """Jobs, newest first, with true totals."""
    before: Any = cursors.read(cursor, dt.datetime, uuid.UUID)

    def page(connection: Connection, place: Any) -> tuple[list[JobRow], Any]:
        found = jobs.listed(connection, status, job_type, limit + 1, place)
        shown = [row_of(job) for job in found[:limit]]
        return shown, (shown[-1].created_at, shown[-1].job_id) if len(found) > limit else None

    def made(connection: Connection, items: list[JobRow], next_cursor: str | None) -> JobPage:
        totals = jobs.totals(connection, job_type)
        total = totals[status] if status else sum(totals.values())
        return JobPage(items=items, next_cursor=next_cursor, total=total, totals=totals)

    return answers.listed(request, format, JobRow, page, before, TOPIC, made, seconds=SECONDS)


@routes.delete(
    "/api/jobs/cleanup", operation_id="clean_up_jobs",
    **described(Scope.OPERATE, CleanedUp, "Delete old jobs"),
)  # fmt: skip
def clean_up(
    request: Request,
    days: Annotated[float, Query(ge=0, le=3650, description="Final jobs older than this many days go.")] = 7,
) -> Response:
    """Delete final jobs older than `days`; one that waits or runs is never deleted."""

    def act(connection: Connection) -> tuple[int, CleanedUp, answers.Headers]:
        deleted = backend_of(request).jobs.cleanup(connection, days=days, keep=EVERY)
        return 200, CleanedUp(deleted=deleted, days=days), {}

    return answers.write(request, "jobs", act)


@routes.get(
    "/api/jobs/{job_id}", operation_id="get_job",
    **described(Scope.READ, JobDetail, "One job", cached=True, problems=[404]),
)  # fmt: skip
def get_job(request: Request, job_id: uuid.UUID) -> Response:
    """Steps, progress, message, attempts, result, error, timings."""
    return answers.read(request, TOPIC, lambda connection: detail(connection, job_id), seconds=SECONDS)


@routes.get(
    "/api/jobs/{job_id}/log", operation_id="get_job_log",
    **described(Scope.READ, JobLog, "What a job wrote", csv=True, cached=True, headers=LINK, problems=[404]),
)  # fmt: skip
def get_log(
    request: Request, job_id: uuid.UUID, limit: Limit = 50, cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """Lines that the job's process wrote, attempt by attempt, oldest first."""
    begin: Any = cursors.read(cursor, int, int)

    def page(connection: Connection, after: Any) -> tuple[list[JobLine], Any]:
        _there(connection, job_id)
        found = jobs.log_page(connection, job_id, limit + 1, after)
        lines = [JobLine(attempt=attempt, at=at, line=line) for _, _, attempt, at, line in found[:limit]]
        return lines, found[limit - 1][:2] if len(found) > limit else None

    def made(_: Connection, items: list[JobLine], next_cursor: str | None) -> JobLog:
        return JobLog(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, JobLine, page, begin, TOPIC, made, seconds=SECONDS)


@routes.post(
    "/api/jobs/{job_id}/cancel", operation_id="cancel_job",
    **described(Scope.OPERATE, JobDetail, "Cancel a job", problems=[404, 409, 413]),
)  # fmt: skip
def cancel_job(request: Request, job_id: uuid.UUID) -> Response:
    """What waits is cancelled at once; what runs is asked to stop. 409 where it has ended already."""
    return _change(request, job_id, "cancel")


@routes.post(
    "/api/jobs/{job_id}/retry", operation_id="retry_job",
    **described(Scope.OPERATE, JobDetail, "Try a job again", problems=[404, 409, 413]),
)  # fmt: skip
def retry_job(request: Request, job_id: uuid.UUID) -> Response:
    """A failed or cancelled job waits again, with all its attempts; completed steps are not done again."""
    return _change(request, job_id, "retry")


def _change(request: Request, job_id: uuid.UUID, what: Literal["cancel", "retry"]) -> Response:
    service = backend_of(request).jobs

    def act(connection: Connection) -> tuple[int, JobDetail, answers.Headers]:
        _there(connection, job_id)
        try:
            (service.cancel if what == "cancel" else service.retry)(connection, job_id)
        except InputError as error:
            raise ProblemError(409, str(error), headers={"Location": f"/api/jobs/{job_id}"}) from error
        return 200, detail(connection, job_id), {}

    return answers.write(request, "jobs", act)


def detail(connection: Connection, job_id: uuid.UUID) -> JobDetail:
    """The job whole; raises ProblemError (404) where there is none."""
    job = _there(connection, job_id)
    _, expected, _ = jobs.history(connection, job.type)
    seconds = (job.finished_at - job.started_at).total_seconds() if job.started_at and job.finished_at else None
    return JobDetail(
        **row_of(job).model_dump(), configuration=job.params, priority=job.priority, worker=job.worker,
        parent=job.parent, run_after=job.run_after, cancel_requested_at=job.cancel_requested_at, result=job.result,
        error=job.error, seconds=seconds, expected_seconds=expected,
        steps=[JobStep.model_validate(step, from_attributes=True) for step in jobs.steps(connection, job_id)],
        attempts=[
            Attempt(attempt=attempt, first_line_at=first, last_line_at=last, lines=lines)
            for attempt, first, last, lines in jobs.attempts(connection, job_id)
        ],
    )  # fmt: skip


def _there(connection: Connection, job_id: uuid.UUID) -> Job:
    job = jobs.get(connection, job_id)
    if job is None:
        raise ProblemError(404, f"there is no job {job_id}")
    return job


def row_of(job: Job) -> JobRow:
    """The job as a list shows it."""
    return JobRow(
        job_id=job.id, job_type=job.type, status=job.status, progress=job.progress, message=job.message,
        attempt=job.attempt, max_attempts=job.max_attempts, requested_by=job.requested_by, request_id=job.request_id,
        created_at=job.created_at, started_at=job.started_at, finished_at=job.finished_at,
    )  # fmt: skip
