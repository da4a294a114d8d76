"""What people are told of an alert."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, cast

Severity = Literal["warning", "error"]
Event = Literal["opened", "escalated", "reminder", "resolved", "test"]
LONGEST_TITLE = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: what happened to an alert at `at`; `alert_id` is None where there is no alert (a test)."""

    alert_id: int | None
    rule: str
    subject: str
    severity: Severity
    event: Event
    message: str
    remedy: str
    since: dt.datetime
    at: dt.datetime

    def as_json(self) -> dict[str, Any]:
        """As JSON values; times are ISO 8601 in UTC."""
        alert = {
            "id": self.alert_id, "rule": self.rule, "subject": self.subject, "severity": self.severity,
            "message": self.message, "remedy": self.remedy, "since": _utc(self.since),
        }  # fmt: skip
        return {"event": self.event, "at": _utc(self.at), "alert": alert}


def from_json(value: Mapping[str, Any]) -> Notice:
    """The inverse of `Notice.as_json`; raises KeyError, TypeError or ValueError where it is none."""
    alert = value["alert"]
    return Notice(
        alert_id=alert["id"],
        rule=alert["rule"],
        subject=alert["subject"],
        severity=cast(Severity, alert["severity"]),
        event=cast(Event, value["event"]),
        message=alert["message"],
        remedy=alert["remedy"],
        since=dt.datetime.fromisoformat(alert["since"]),
        at=dt.datetime.fromisoformat(value["at"]),
    )


def words(notice: Notice, attempt: int = 1) -> tuple[str, str]:
    """(title, body) for people; from the second attempt on the body says that it may be a repeat."""
    kind = {
        "opened": notice.severity.upper(), "escalated": f"{notice.severity.upper()} (worse than before)",
        "reminder": f"{notice.severity.upper()} (reminder)", "resolved": "RESOLVED", "test": "TEST",
    }[notice.event]  # fmt: skip
    name = f"{notice.rule} ({notice.subject})" if notice.subject else notice.rule
    title = " ".join(f"Tipoff {kind}: {name} - {notice.message}".split())
    if len(title) > LONGEST_TITLE:
        title = f"{title[: LONGEST_TITLE - 3]}..."
    lines = [notice.message]
    if notice.remedy and notice.event != "resolved":
        lines.append(f"What to do: {notice.remedy}")
    lines.append(f"Since {_said(notice.since)}; told {_said(notice.at)}.")
    if notice.alert_id is not None:
        lines.append(f"Alert {notice.alert_id}.")
    if attempt > 1:
        lines.append(f"This is attempt {attempt} to deliver it: it may be a repeat.")
    return title, "\n".join(lines)


def _said(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
