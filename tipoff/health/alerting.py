"""From findings to alerts: when one opens, who is told how often, when it is over. Decides; `keeping` writes.

One alert for a rule and subject, however often it comes and goes: it opens once the finding has lasted
`open_after` (events at once), and is resolved once it has been away for `resolve_after`, which doubles with each
time that the same alert was resolved within a day. So something that flaps is told of once, and something that
flaps slowly less and less.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Iterable, Sequence

from tipoff.health.report import Finding, Report, Status
from tipoff.health.rules import RULES
from tipoff.health.settings import HealthSettings
from tipoff.storage.alerts import Alert

LONGEST_CALM = 3600.0
"""seconds: the most that an alert waits for calm before it is resolved"""


class Event(enum.StrEnum):
    """What people are told."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A live alert as it is from now on (None: it goes, as it was never believed), and what people are told of it."""

    before: Alert
    after: Alert | None
    event: Event | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Begin:
    """A finding that has no live alert; `opened`: it is believed at once."""

    finding: Finding
    opened: bool


def decide(
    live: Sequence[tuple[Alert, int]], report: Report, limits: HealthSettings
) -> tuple[list[Begin], list[Change]]:
    """What begins and what changes, from what is live (each with how often it was resolved within a day)."""
    now = report.checked_at
    found = {f.key: f for f in report.findings if RULES[f.rule].alerts}
    known = {(alert.rule, alert.subject) for alert, _ in live}
    begun = [Begin(f, _believed(f, f.since or now, now, limits)) for key, f in found.items() if key not in known]
    changes: list[Change] = []
    for alert, resolved in live:
        finding = found.get((alert.rule, alert.subject))
        if finding is not None:
            changes.append(_seen(alert, finding, now, limits))
        elif _looked(alert, report):
            changes.append(_gone(alert, resolved, now, limits))
    return begun, changes


def _looked(alert: Alert, report: Report) -> bool:
    """Whether the report is proof that it is gone: its check did look."""
    name = alert.subject if alert.rule == "check_hung" else RULES[alert.rule].check if alert.rule in RULES else None
    check = report.checks.get(name) if name else None
    return name is None or (check is not None and check.looked)


def _believed(finding: Finding, since: dt.datetime, now: dt.datetime, limits: HealthSettings) -> bool:
    rule = RULES[finding.rule]
    return rule.at_once or (now - since).total_seconds() >= rule.longer * limits.open_after


def _seen(alert: Alert, finding: Finding, now: dt.datetime, limits: HealthSettings) -> Change:
    """It is still so: open it, say that it got worse, or remind."""
    worse = finding.severity is Status.ERROR and alert.severity == "warning"
    severity = "error" if worse else alert.severity
    after = dataclasses.replace(
        alert, severity=severity, message=finding.message, remedy=finding.remedy, seen_at=now, clear_since=None
    )
    if alert.state == "pending":
        opens = _believed(finding, alert.since, now, limits)
        if opens:
            after = dataclasses.replace(after, state="open", opened_at=now)
        elif finding.severity is Status.WARNING:
            after = dataclasses.replace(after, severity="warning")
        return _told(alert, after, Event.OPENED if opens else None, now)
    if worse:
        return _told(alert, dataclasses.replace(after, state="open"), Event.ESCALATED, now)
    hours = limits.remind_hours * (1 if severity == "error" else 6)
    due = alert.state == "open" and alert.told_at is not None and now - alert.told_at >= dt.timedelta(hours=hours)
    return _told(alert, after, Event.REMINDER if due else None, now)


def _gone(alert: Alert, resolved: int, now: dt.datetime, limits: HealthSettings) -> Change:
    """It is not so any more; once it stays away: forget it where it was never believed, or resolve it."""
    since = alert.clear_since or now
    longer = RULES[alert.rule].longer if alert.rule in RULES else 1.0
    if alert.state == "pending" and (since - alert.since).total_seconds() >= longer * limits.open_after:
        after = dataclasses.replace(alert, state="open", opened_at=now, clear_since=since)
        return _told(alert, after, Event.OPENED, now)
    growing = min(LONGEST_CALM, limits.resolve_after * 2 ** min(resolved, 20))
    calm = limits.open_after if alert.state == "pending" else max(limits.resolve_after, growing)
    if (now - since).total_seconds() < calm:
        return Change(alert, dataclasses.replace(alert, clear_since=since))
    if alert.state == "pending":
        return Change(alert, None)
    after = dataclasses.replace(alert, clear_since=since, state="resolved", resolved_at=now)
    return _told(alert, after, Event.RESOLVED, now)


def _told(before: Alert, after: Alert, event: Event | None, now: dt.datetime) -> Change:
    if event is not None:
        after = dataclasses.replace(after, told_at=now, told=after.told + 1)
    return Change(before, after, event)


def missed(found: Iterable[Finding], report: Report, limits: HealthSettings) -> list[Finding]:
    """Of what was found while nothing could be written: what is over by now, and lasted long enough to be told of."""
    now, keys = report.checked_at, {f.key for f in report.findings}
    return [
        f for f in found
        if f.key not in keys and RULES[f.rule].alerts and _believed(f, f.since or now, now, limits)
    ]  # fmt: skip
