"""What the API says of jobs."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from tipoff.domain.job import JobStatus

JOB = "5f0c1f9e-8c1b-4f1e-9a55-0d7c2b1a9e10"


def _number(value: Any) -> Any:
    """A number is no text and no yes or no; 3.0 is 3, as JSON has it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError("this is not a number")


Whole = Annotated[int, BeforeValidator(_number)]


class PipelineRequest(BaseModel):
    """The full pipeline; everything may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [
        {"history_days": 30, "train_model": True, "return_predictions": True, "refresh_token": False}]})  # fmt: skip

    history_days: Whole = Field(30, ge=0, le=1500, description="How many days back to fetch.")
    train_model: StrictBool = Field(True, description="Train and judge a new model on the way.")
    train_new_model: StrictBool | None = Field(None, description="An earlier name of train_model.")
    return_predictions: StrictBool = Field(True, description="Put the forecasts into the job's result.")
    refresh_token: StrictBool = Field(
        False, description="Ask for a new guest token first, where the source needs one."
    )
    training_days: Whole = Field(30, ge=2, le=365, description="Days of results to fit on.")
    min_matches: Whole = Field(3, ge=1, le=1000, description="Players with fewer are left out of the fit.")

    @model_validator(mode="after")
    def _one_name(self) -> PipelineRequest:
        if self.train_new_model is not None:
            if "train_model" in self.model_fields_set and self.train_model != self.train_new_model:
                raise ValueError("train_model and train_new_model (its earlier name) say different things")
            self.train_model = self.train_new_model
        return self

    def params(self) -> dict[str, Any]:
        """Parameters of the job."""
        return self.model_dump(exclude={"train_new_model"})


class Estimate(BaseModel):
    """How long this type of job takes, from its own history."""

    seconds: float | None = Field(description="Median of completed jobs; null where there is no history.")
    seconds_p95: float | None
    jobs: int = Field(description="How many completed jobs that is from.")
    most: float = Field(description="Seconds after which an attempt is ended.")
    basis: str


class Monitoring(BaseModel):
    """Where to follow and stop a job."""

    status_url: str
    cancel_url: str
    jobs_url: str


class JobStarted(BaseModel):
    """A job that was accepted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "job_id": JOB, "job_type": "data_pipeline", "status": "pending",
        "message": "data_pipeline waits for a worker",
        "estimated_duration": {"seconds": 14.2, "seconds_p95": 21.0, "jobs": 12, "most": 280.0,
                               "basis": "the last 12 completed data_pipeline jobs"},
        "job_status_url": f"/api/jobs/{JOB}",
        "monitoring": {"status_url": f"/api/jobs/{JOB}", "cancel_url": f"/api/jobs/{JOB}/cancel",
                       "jobs_url": "/api/jobs?job_type=data_pipeline"},
        "configuration": {"history_days": 30, "train_model": True}}]})  # fmt: skip

    job_id: uuid.UUID
    job_type: str
    status: JobStatus
    message: str
    estimated_duration: Estimate
    job_status_url: str
    monitoring: Monitoring
    configuration: dict[str, Any] = Field(description="The job's parameters, defaults filled in.")


class JobRow(BaseModel):
    """A job in a list."""

    job_id: uuid.UUID
    job_type: str
    status: JobStatus
    progress: float = Field(description="Per cent.")
    message: str
    attempt: int
    max_attempts: int
    requested_by: str
    request_id: str | None = Field(description="Of the request that asked for it, also in both logs.")
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class JobPage(BaseModel):
    """Jobs, newest first; totals count every job, by status."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{"job_id": JOB, "job_type": "quick_data_refresh", "status": "completed", "progress": 100.0,
                   "message": "7 new results, 0 changed", "attempt": 1, "max_attempts": 3, "requested_by": "schedule",
                   "request_id": None,
                   "created_at": "2026-11-25T05:00:00Z", "started_at": "2026-11-25T05:00:00.2Z",
                   "finished_at": "2026-11-25T05:00:03Z"}],
        "next_cursor": None, "total": 1,
        "totals": {"pending": 0, "running": 0, "completed": 1, "failed": 0, "cancelled": 0}}]})  # fmt: skip

    items: list[JobRow]
    next_cursor: str | None
    total: int = Field(description="Jobs that match the filters.")
    totals: dict[JobStatus, int] = Field(description="Jobs by status (of the type, where one is asked for).")


class JobStep(BaseModel):
    """A step of a job."""

    step: str
    status: JobStatus
    progress: float
    rows_in: int | None
    rows_out: int | None
    detail: dict[str, Any]
    error: dict[str, str] | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class Attempt(BaseModel):
    """What an attempt wrote: nothing is known of one that wrote no line."""

    attempt: int
    first_line_at: dt.datetime
    last_line_at: dt.datetime
    lines: int = Field(description="Of its output; of very much the first and the last lines are kept.")


class JobDetail(JobRow):
    """One job whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "job_id": JOB, "job_type": "cleanup", "status": "failed", "progress": 40.0, "message": "",
        "attempt": 3, "max_attempts": 3, "requested_by": "api: ops",
        "request_id": "0193f3a2c4d54f8e9f0c", "created_at": "2026-11-25T05:00:00Z",
        "started_at": "2026-11-25T05:00:00.2Z", "finished_at": "2026-11-25T05:01:03Z", "configuration": {"days": 30},
        "priority": 0, "worker": None, "parent": None, "run_after": "2026-11-25T05:00:00Z",
        "cancel_requested_at": None, "result": None,
        "error": {"kind": "time_limit", "message": "ran for 120 s", "where": "cleanup"}, "seconds": 62.8,
        "expected_seconds": 41.0, "steps": [],
        "attempts": [{"attempt": 3, "first_line_at": "2026-11-25T05:00:01Z", "last_line_at": "2026-11-25T05:01:02Z",
                      "lines": 14}]}]})  # fmt: skip

    configuration: dict[str, Any]
    priority: int
    worker: str | None
    parent: uuid.UUID | None
    run_after: dt.datetime
    cancel_requested_at: dt.datetime | None
    result: Any
    error: dict[str, str] | None
    seconds: float | None = Field(description="How long its last attempt ran, where it has ended.")
    expected_seconds: float | None = Field(description="Median of the last 50 completed jobs of its type.")
    steps: list[JobStep]
    attempts: list[Attempt] = Field(
        description="That wrote a line, in order; one that was handed back is there twice."
    )


class JobLine(BaseModel):
    """A line that a job's process wrote, without secrets."""

    attempt: int
    at: dt.datetime
    line: str


class JobLog(BaseModel):
    """Lines in the order written."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{"attempt": 1, "at": "2026-11-25T05:00:01Z", "line": "7 new results"}],
        "next_cursor": None}]})  # fmt: skip

    items: list[JobLine]
    next_cursor: str | None


class CleanedUp(BaseModel):
    """How many jobs were deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deleted": 12, "days": 7}]})

    deleted: int
    days: float
