"""Jobs for everybody who is not a worker: enqueue, look, cancel, try again, tidy up."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from tipoff.domain.job import Job, JobStatus, Step
from tipoff.errors import InputError, StorageError
from tipoff.jobs.types import JobType, job_types
from tipoff.storage import jobs
from tipoff.storage.pool import Connection

TRIES = 20
STUCK_GRACE = 5.0
SILENT = 120.0
"""seconds without progress after which a running job is worth a look"""


@dataclasses.dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that waits; `new` is False where a live one with the same key was there already."""

    id: uuid.UUID
    new: bool


@dataclasses.dataclass(frozen=True, slots=True)
class LogLine:
    """A line that an attempt's process wrote; `claim` tells attempts apart that were handed back."""

    attempt: int
    claim: int
    at: dt.datetime
    line: str


class JobService:
    """Every method works inside the caller's connection, and so inside the caller's transaction."""

    def __init__(self, types: Mapping[str, JobType] | None = None) -> None:
        self.types = dict(types) if types is not None else job_types()

    def type_of(self, name: str) -> JobType:
        """The type; raises InputError that lists those there are."""
        if name not in self.types:
            raise InputError(f"there is no job type {name!r}; there are {', '.join(sorted(self.types))}")
        return self.types[name]

    def about(self, name: str) -> str:
        """What jobs of that type do; nothing where it is not known here."""
        return self.types[name].about if name in self.types else ""

    def enqueue(
        self, connection: Connection, name: str, params: Mapping[str, Any] | None = None, *, priority: int = 0,
        run_after: dt.datetime | None = None, requested_by: str = "", parent: uuid.UUID | None = None,
        request_id: str | None = None,
    ) -> Enqueued:  # fmt: skip
        """Add a job; for a type of which one may be live, the live one is the answer.

        `request_id` is that of the HTTP request that asked for it.

        Enqueue last in a transaction and keep it short: a second request with the same key waits for it.
        Raises InputError for an unknown type or wrong parameters.
        """
        job_type = self.type_of(name)
        values = {
            "type": name, "params": job_type.checked(params or {}), "priority": _priority(priority),
            "run_after": run_after, "max_attempts": job_type.max_attempts, "requested_by": requested_by,
            "parent": parent, "request_id": request_id, "dedupe_key": name if job_type.single else None,
        }  # fmt: skip
        for _ in range(TRIES):
            found = jobs.enqueue(connection, values)
            if found is not None:
                return Enqueued(*found)
        raise StorageError(f"a {name} job could not be enqueued in {TRIES} tries: jobs with its key come and go")

    def deliver(self, connection: Connection) -> Enqueued:
        """What waits in the outbox is delivered at once instead of at the next tick."""
        return self.enqueue(connection, "outbox_delivery", {}, requested_by="alerts")

    def enqueue_many(
        self, connection: Connection, name: str, params: Sequence[Mapping[str, Any]], *, priority: int = 0,
        run_after: dt.datetime | None = None, requested_by: str = "",
    ) -> list[uuid.UUID]:  # fmt: skip
        """Add many jobs of a type of which any number may be live, in one statement."""
        job_type = self.type_of(name)
        if job_type.single:
            raise InputError(f"only one {name} may be live: enqueue it alone")
        return jobs.enqueue_many(
            connection,
            {
                "type": name, "params": [job_type.checked(one) for one in params], "priority": _priority(priority),
                "run_after": run_after, "max_attempts": job_type.max_attempts, "requested_by": requested_by,
            },
        )  # fmt: skip

    def get(self, connection: Connection, job_id: uuid.UUID) -> Job:
        """The job; raises InputError where there is none."""
        job = jobs.get(connection, job_id)
        if job is None:
            raise InputError(f"there is no job {job_id}: see tipoff jobs list")
        return job

    def find(self, connection: Connection, name: str) -> Job:
        """The job whose id is, or alone begins with, `name`; raises InputError otherwise."""
        found = jobs.starting_with(connection, name) if len(name) >= 4 else []
        if len(found) != 1:
            what = "several jobs" if found else "no job (give its id, or at least 4 characters of it)"
            raise InputError(f"{name!r} names {what}: see tipoff jobs list")
        return self.get(connection, found[0])

    def listed(
        self, connection: Connection, *, status: JobStatus | None = None, job_type: str | None = None,
        limit: int = 50, before: tuple[dt.datetime, uuid.UUID] | None = None,
    ) -> list[Job]:  # fmt: skip
        """Jobs, newest first."""
        return jobs.listed(connection, status, job_type, limit, before)

    def cancel(self, connection: Connection, job_id: uuid.UUID) -> Job:
        """Cancel what waits, ask what runs to stop. Raises InputError when it is unknown or has ended."""
        job = jobs.cancel(connection, job_id)
        if job is None:
            ended = self.get(connection, job_id)
            raise InputError(f"job {job_id} has ended already: {ended.status}")
        return job

    def retry(self, connection: Connection, job_id: uuid.UUID) -> Job:
        """Let a failed or cancelled job run again; steps that were completed are not done again.

        Raises InputError when it is neither, or when another of its kind is live.
        """
        try:
            with connection.transaction():
                job = jobs.retry(connection, job_id)
        except psycopg.errors.UniqueViolation as error:
            raise InputError(f"job {job_id} cannot run again now: another one of its type is live") from error
        if job is None:
            now = self.get(connection, job_id)
            raise InputError(f"job {job_id} is {now.status}: only failed and cancelled jobs are tried again")
        return job

    def cleanup(self, connection: Connection, *, days: float = 30, keep: int = 10_000) -> int:
        """Delete final jobs older than `days` or beyond the newest `keep`; returns how many."""
        if days < 0 or keep < 0:
            raise InputError("days and the number of jobs to keep must not be negative")
        return jobs.cleanup(connection, days, keep)

    def statistics(self, connection: Connection) -> list[dict[str, Any]]:
        """Counts by type and status; success rate and durations of the last 24 hours."""
        return jobs.statistics(connection)

    def stuck(self, connection: Connection) -> list[tuple[Job, str]]:
        """Running jobs that nobody holds, or that have not moved for long, with which it is."""
        return jobs.stuck(connection, STUCK_GRACE, SILENT)

    def steps(self, connection: Connection, job_id: uuid.UUID) -> list[Step]:
        """The steps of a pipeline."""
        return jobs.steps(connection, job_id)

    def logs(self, connection: Connection, job_id: uuid.UUID) -> list[LogLine]:
        """What its attempts wrote."""
        return [LogLine(attempt, token, at, line) for token, attempt, at, line in jobs.logs(connection, job_id)]


def _priority(value: int) -> int:
    if not -100 <= value <= 100:
        raise InputError(f"priority must be from -100 to 100, got {value}")
    return value
