"""What a worker says: sentences for people, with fields for programs."""

from __future__ import annotations

from typing import Any, Protocol

from tipoff.domain.job import Job

LOST = "it is another attempt's now: nothing was written"


class Report(Protocol):
    """Takes what happens: a sentence, and what it is about as fields."""

    def __call__(self, sentence: str, /, **fields: Any) -> None:
        """One event."""


def silence(_: str, /, **__: Any) -> None:
    """Report nothing."""


def about(job: Job) -> dict[str, Any]:
    """Which attempt of which job, and which request asked for it."""
    found = {"job_id": str(job.id), "job_type": job.type, "attempt": job.attempt}
    return found if job.request_id is None else {**found, "request_id": job.request_id}


def came_to(event: dict[str, Any], said: str, seconds: float) -> dict[str, Any]:
    """How an attempt ended, after how many seconds, and why it failed."""
    outcome = {"ended": "completed", "stopped": said.replace(" ", "_")}.get(event["outcome"], event["outcome"])
    found = {"outcome": "lease_lost" if said == LOST else outcome, "seconds": round(seconds, 3)}
    return {**found, "error": event["error"]["kind"]} if "error" in event else found
