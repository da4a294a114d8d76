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
    begun = [Begin(f, _believed(f.rule, f.since or now, now, limits)) for key, f in found.items() if key not in known]
    changes: list[Change] = []
    for alert, resolved in live:
        finding = found.get((alert.rule, alert.subject))
        if finding is not None:
            changes.append(_seen(alert, finding, now, limits))
        elif _looked(alert, report):
            changes.append(_gone(alert, resolved, now, limits))
    return begun, changes


def _looked(alert: Alert, report: Report) -> bool:
    """Whether the report is proof that it is gone: its check did look, or no check knows it any more."""
    rule = RULES.get(alert.rule)
    if rule is None:
        return True
    check = report.checks.get(alert.subject if rule.about_a_check else rule.check)
    return check is not None and check.looked


def _believed(name: str, since: dt.datetime, now: dt.datetime, limits: HealthSettings) -> bool:
    rule = RULES.get(name)
    longer = rule.longer if rule else 1.0
    return (rule is not None and rule.at_once) or (now - since).total_seconds() >= longer * limits.open_after


def _seen(alert: Alert, finding: Finding, now: dt.datetime, limits: HealthSettings) -> Change:
    """It is still so: open it, say that it got worse, remind, or say what nobody was there to be told."""
    after = _weighed(alert, finding, now, limits)
    if alert.state == "pending":
        if not _believed(alert.rule, alert.since, now, limits):
            return Change(alert, dataclasses.replace(after, severity=finding.severity.value))
        return _told(alert, dataclasses.replace(after, state="open", opened_at=now), Event.OPENED, now)
    if after.severity == "error" and alert.severity == "warning":
        return _told(alert, dataclasses.replace(after, state="open"), Event.ESCALATED, now)
    if alert.state == "open" and alert.told == 0:
        return _told(alert, after, Event.OPENED, now)
    hours = limits.remind_hours * (1 if after.severity == "error" else 6)
    due = alert.state == "open" and alert.told_at is not None and now - alert.told_at >= dt.timedelta(hours=hours)
    return _told(alert, after, Event.REMINDER if due else None, now)


def _weighed(alert: Alert, finding: Finding, now: dt.datetime, limits: HealthSettings) -> Alert:
    """The alert as the finding says it; an error becomes a warning once it has been no more for `resolve_after`."""
    after = dataclasses.replace(
        alert, message=finding.message, remedy=finding.remedy, seen_at=now, clear_since=None, lower_since=None
    )
    if finding.severity is Status.ERROR:
        return dataclasses.replace(after, severity="error")
    if alert.severity == "warning":
        return after
    since = alert.lower_since or now
    if (now - since).total_seconds() >= max(limits.resolve_after, limits.open_after):
        return dataclasses.replace(after, severity="warning")
    return dataclasses.replace(after, lower_since=since)


def _gone(alert: Alert, resolved: int, now: dt.datetime, limits: HealthSettings) -> Change:
    """It is not so any more; once it stays away: forget it where it was never believed, or resolve it."""
    since = alert.clear_since or now
    if alert.state == "pending" and _believed(alert.rule, alert.since, since, limits):
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
        if f.key not in keys and RULES[f.rule].alerts and _believed(f.rule, f.since or now, now, limits)
    ]  # fmt: skip
