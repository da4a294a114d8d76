"""What the API says of alerts."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ALERT: dict[str, Any] = {
    "id": 12, "rule": "no_workers", "subject": "", "severity": "error", "state": "open",
    "message": "no worker is alive; the last one was seen at 2026-11-25 05:00:11 UTC",
    "remedy": "Start one: python -m tipoff worker; on Render look at the worker service's log.",
    "since": "2026-11-25T05:00:41Z", "opened_at": "2026-11-25T05:01:41Z", "seen_at": "2026-11-25T05:04:11Z",
    "clear_since": None, "told_at": "2026-11-25T05:01:41Z", "told": 1, "acknowledged_at": None,
    "acknowledged_by": None, "resolved_at": None,
}  # fmt: skip


class AlertRow(BaseModel):
    """Something that is or was wrong."""

    model_config = ConfigDict(json_schema_extra={"examples": [ALERT]})

    id: int
    rule: str = Field(description="What it is; docs/troubleshooting.md has a section for each.")
    subject: str
    severity: Literal["warning", "error"]
    state: Literal["open", "acknowledged", "resolved"]
    message: str
    remedy: str
    since: dt.datetime = Field(description="Since when it has been so; the alert opened later, once it was believed.")
    opened_at: dt.datetime
    seen_at: dt.datetime
    clear_since: dt.datetime | None = Field(
        description="Since when it has not been seen; it is resolved a while after."
    )
    told_at: dt.datetime | None
    told: int = Field(description="How often people were told.")
    acknowledged_at: dt.datetime | None
    acknowledged_by: str | None
    resolved_at: dt.datetime | None


class AlertPage(BaseModel):
    """Alerts, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ALERT], "next_cursor": None}]})

    items: list[AlertRow]
    next_cursor: str | None


class TrialSent(BaseModel):
    """A message of trial was put into the outbox for each receiver."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"messages": 2}]})

    messages: int = Field(description="One for each receiver; GET /api/webhooks/deliveries says what came of them.")
