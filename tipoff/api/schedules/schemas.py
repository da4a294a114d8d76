"""What the API says of schedules."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.domain.job import JobStatus


class LastJob(BaseModel):
    """The job that a schedule started last."""

    job_id: uuid.UUID
    status: JobStatus
    message: str
    finished_at: dt.datetime | None


class ScheduleRow(BaseModel):
    """One schedule."""

    name: str
    job_type: str
    about: str = Field(description="What its jobs do.")
    params: dict[str, Any]
    cron: str = Field(description="Five fields in UTC, six with seconds first.")
    when: str = Field(description="The same in words.")
    enabled: bool
    next_at: dt.datetime | None = Field(description="When it fires next; null where it is switched off.")
    last_at: dt.datetime | None = Field(description="The newest tick that fired or was skipped.")
    last_outcome: str = Field(description="What became of that tick, or why it is switched off.")
    last_job: LastJob | None = Field(description="The job that it started last, as long as that is kept.")


class Schedules(BaseModel):
    """Every schedule by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{"name": "quarterly care", "job_type": "database_care", "about": "Report on indexes.",
                   "params": {}, "cron": "0 2 1 1,4,7,10 *", "when": "At 02:00 on the first day of January",
                   "enabled": True, "next_at": "2027-01-01T02:00:00Z", "last_at": "2026-10-01T02:00:00Z",
                   "last_outcome": "enqueued",
                   "last_job": {"job_id": "3f2a0f64-5717-4562-b3fc-2c963f66afa6", "status": "completed",
                                "message": "34 tables, 41.0 MB; nothing to mend",
                                "finished_at": "2026-10-01T02:00:04Z"}}],
        "as_of": "2026-11-26T05:00:00Z"}]})  # fmt: skip

    items: list[ScheduleRow]
    as_of: dt.datetime
