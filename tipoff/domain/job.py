"""What a job is, and the states it may be in."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid
from typing import Any


class JobStatus(enum.StrEnum):
    """Where a job stands; the last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self not in (JobStatus.PENDING, JobStatus.RUNNING)


@dataclasses.dataclass(frozen=True, slots=True)
class JobError:
    """Why an attempt failed: a machine-readable kind, a sentence, and the place."""

    kind: str
    message: str
    where: str

    def as_json(self) -> dict[str, str]:
        """As stored."""
        return {"kind": self.kind, "message": self.message, "where": self.where}


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One row of the queue; `progress` is in per cent, `attempt` counts those that have begun."""

    id: uuid.UUID
    type: str
    status: JobStatus
    priority: int
    params: dict[str, Any]
    progress: float
    message: str
    result: Any
    error: dict[str, str] | None
    attempt: int
    max_attempts: int
    token: int
    run_after: dt.datetime
    worker: str | None
    lease_until: dt.datetime | None
    cancel_requested_at: dt.datetime | None
    progress_at: dt.datetime | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    requested_by: str
    parent: uuid.UUID | None
    dedupe_key: str | None
    request_id: str | None

    def as_json(self) -> dict[str, Any]:
        """What `--json` and the API show of it."""
        return {
            "job_id": str(self.id), "job_type": self.type, "status": self.status.value, "progress": self.progress,
            "message": self.message, "attempt": self.attempt, "max_attempts": self.max_attempts,
            "error": self.error, "result": self.result, "params": self.params, "priority": self.priority,
            "worker": self.worker, "requested_by": self.requested_by,
            "request_id": self.request_id,
            "parent": str(self.parent) if self.parent else None,
            "run_after": self.run_after.isoformat(), "created_at": self.created_at.isoformat(),
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "cancel_requested_at": self.cancel_requested_at.isoformat() if self.cancel_requested_at else None,
        }  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One step of a pipeline job."""

    step: str
    position: int
    status: JobStatus
    progress: float
    rows_in: int | None
    rows_out: int | None
    detail: dict[str, Any]
    error: dict[str, str] | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


JOB_NAMES = [field.name for field in dataclasses.fields(Job)]
STEP_NAMES = [field.name for field in dataclasses.fields(Step)]
JOB_COLUMNS, STEP_COLUMNS = ", ".join(JOB_NAMES), ", ".join(STEP_NAMES)


def job_of(row: tuple[Any, ...]) -> Job:
    """A row of `JOB_COLUMNS` as a Job."""
    values = dict(zip(JOB_NAMES, row, strict=True))
    return Job(**{**values, "status": JobStatus(values["status"])})


def step_of(row: tuple[Any, ...]) -> Step:
    """A row of `STEP_COLUMNS` as a Step."""
    values = dict(zip(STEP_NAMES, row, strict=True))
    return Step(**{**values, "status": JobStatus(values["status"])})
