"""`/api/schedules`: what runs by itself, when, and what came of it last."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from tipoff.api import answers
from tipoff.api.access import Scope
from tipoff.api.routing import backend_of, described, router
from tipoff.api.schedules.schemas import LastJob, ScheduleRow, Schedules
from tipoff.jobs.schedule import in_words
from tipoff.jobs.service import JobService
from tipoff.storage import overview, schedules
from tipoff.storage.pool import Connection
from tipoff.storage.schedules import Schedule

routes = router("jobs")


@routes.get(
    "/api/schedules", operation_id="list_schedules",
    **described(Scope.READ, Schedules, "List schedules", cached=True),
)  # fmt: skip
def list_schedules(request: Request) -> Response:
    """What is enqueued by itself, what each does, when next, and what came of it last."""
    service = backend_of(request).jobs

    def question(connection: Connection) -> Schedules:
        found = schedules.with_last_jobs(connection)
        return Schedules(items=[_row(service, *one) for one in found], as_of=overview.now(connection))

    return answers.read(request, ("jobs",), question, seconds=2.0)


def _row(service: JobService, schedule: Schedule, last: schedules.LastJob | None) -> ScheduleRow:
    return ScheduleRow(
        name=schedule.name, job_type=schedule.type, about=service.about(schedule.type), params=schedule.params,
        cron=schedule.cron, when=in_words(schedule.cron), enabled=schedule.enabled,
        next_at=schedule.next_at if schedule.enabled else None, last_at=schedule.last_at,
        last_outcome=schedule.last_outcome,
        last_job=None if last is None else LastJob.model_validate(last, from_attributes=True),
    )  # fmt: skip
