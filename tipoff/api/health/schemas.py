"""What the API says of the system's health."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.health.report import Status

FINDING: dict[str, Any] = {
    "rule": "source_stale", "subject": "", "severity": "warning",
    "message": "the league last answered 17 minutes ago",
    "remedy": "tipoff jobs list --type quick_data_refresh says why; see that the league's server answers from here.",
    "since": "2026-11-25T05:02:00Z",
}  # fmt: skip
CHECK: dict[str, Any] = {
    "status": "warning", "message": FINDING["message"], "remedy": FINDING["remedy"], "since": FINDING["since"],
    "metrics": {"fetched_seconds_ago": 1020.0, "fixtures": 42}, "looked": True, "findings": [FINDING],
}  # fmt: skip


class Finding(BaseModel):
    """One thing that is wrong."""

    rule: str = Field(description="What it is; docs/troubleshooting.md has a section for each.")
    subject: str = Field(description="What it is about, where there may be several.")
    severity: Status
    message: str
    remedy: str
    since: dt.datetime


class Check(BaseModel):
    """A check: its status and worst message, since when it has that status, its figures."""

    status: Status
    message: str
    remedy: str | None
    since: dt.datetime
    metrics: dict[str, float | str | None]
    looked: bool = Field(description="False where it could not look: that is no proof that all is well.")
    findings: list[Finding]


class Health(BaseModel):
    """One look at everything."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "overall_status": "warning", "checks": {"data_freshness": CHECK},
        "metrics": {"cpu_percent": 12.5, "memory_percent": 41.0, "memory_used_mb": 210.0,
                    "memory_available_mb": 302.0,
                    "disk_percent": 35.1, "disk_free_gb": 12.9, "fetched_seconds_ago": 1020.0, "fixtures": 42},
        "warnings": [FINDING["message"]], "errors": [], "checked_at": "2026-11-25T05:04:00Z", "duration_ms": 31.4,
        "checker": "web-1:77"}]})  # fmt: skip

    overall_status: Status
    checks: dict[str, Check]
    metrics: dict[str, float | str | None] = Field(description="The figures of all checks; null where not known.")
    warnings: list[str]
    errors: list[str]
    checked_at: dt.datetime
    duration_ms: float
    checker: str = Field(description="The process that looked.")


class Stretch(BaseModel):
    """A stretch of the past: the worst of each check, and mean figures."""

    at: dt.datetime
    reports: int
    healthy: int
    status: Status
    checks: dict[str, Status]
    metrics: dict[str, float]


class History(BaseModel):
    """The last hours, oldest first; a stretch without a report is left out: nobody looked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "hours": 24, "seconds": 300.0, "healthy_share": 0.996,
        "items": [{"at": "2026-11-25T05:00:00Z", "reports": 10, "healthy": 9, "status": "warning",
                   "checks": {"database": "healthy", "data_freshness": "warning"},
                   "metrics": {"cpu_percent": 11.0}}]}]})  # fmt: skip

    hours: int
    seconds: float = Field(description="How long a stretch is.")
    healthy_share: float | None = Field(description="Of the reports that there are; null where there is none.")
    items: list[Stretch]
