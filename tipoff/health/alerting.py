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
FOR_OTHERS = 600.0
"""seconds for which a process that can tell nobody leaves the end of an alert to one that can"""


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


@dataclasses.dataclass(frozen=True, slots=True)
class Manners:
    """By what it is decided: the moment, the settings, and whether this process knows anybody who can be told."""

    now: dt.datetime
    limits: HealthSettings
    tells: bool

    def told(self, before: Alert, after: Alert, event: Event | None) -> Change:
        """The change, and that people are told of it."""
        if event is None or not self.tells:
            return Change(before, after)
        told = dataclasses.replace(after, told_at=self.now, told=after.told + 1, told_severity=after.severity)
        return Change(before, told, event)


def decide(
    live: Sequence[tuple[Alert, int]], report: Report, limits: HealthSettings, *, tells: bool = True
) -> tuple[list[Begin], list[Change]]:
    """What begins and what changes, from what is live (each with how often it was resolved within a day).

    Where nobody can be told (`tells`), nothing counts as told: a process that knows somebody tells it.
    """
    now, manners = report.checked_at, Manners(report.checked_at, limits, tells)
    found = {f.key: f for f in report.findings if _alerts(f)}
    known = {(alert.rule, alert.subject) for alert, _ in live}
    begun = [Begin(f, _believed(f.rule, f.since or now, now, limits)) for key, f in found.items() if key not in known]
    changes: list[Change] = []
    for alert, resolved in live:
        finding = found.get((alert.rule, alert.subject))
        if finding is not None:
            changes.append(_seen(alert, finding, manners))
        elif _looked(alert, report):
            changes.append(_gone(alert, resolved, manners))
    return begun, changes


def _alerts(finding: Finding) -> bool:
    rule = RULES.get(finding.rule)
    return rule is None or rule.alerts


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


def _seen(alert: Alert, finding: Finding, manners: Manners) -> Change:
    """It is still so: open it, say that it got worse, remind, or tell what nobody could be told before."""
    now, limits = manners.now, manners.limits
    after = _weighed(alert, finding, manners)
    if alert.state == "pending":
        if not _believed(alert.rule, alert.since, now, limits):
            return Change(alert, dataclasses.replace(after, severity=finding.severity.value))
        return manners.told(alert, dataclasses.replace(after, state="open", opened_at=now), Event.OPENED)
    if after.severity == "error" and alert.severity == "warning":
        after = dataclasses.replace(after, state="open")
    if after.state == "open" and alert.told == 0:
        return manners.told(alert, after, Event.OPENED)
    if after.severity == "error" and alert.told_severity == "warning":
        return manners.told(alert, after, Event.ESCALATED)
    hours = limits.remind_hours * (1 if after.severity == "error" else 6)
    due = after.state == "open" and alert.told_at is not None and now - alert.told_at >= dt.timedelta(hours=hours)
    return manners.told(alert, after, Event.REMINDER if due else None)


def _weighed(alert: Alert, finding: Finding, manners: Manners) -> Alert:
    """The alert as the finding says it; an error becomes a warning once it has been no more for `resolve_after`."""
    now, limits = manners.now, manners.limits
    after = dataclasses.replace(
        alert, message=finding.message, remedy=finding.remedy, seen_at=now, clear_since=None, lower_since=None
    )
    if finding.severity is Status.ERROR:
        return dataclasses.replace(after, severity="error")
    if alert.severity == "warning":
        return after
    since = alert.lower_since or now
    if (now - since).total_seconds() >= max(limits.resolve_after, limits.open_after):
        told = None if alert.told_severity is None else "warning"
        return dataclasses.replace(after, severity="warning", told_severity=told)
    return dataclasses.replace(after, lower_since=since)


def _gone(alert: Alert, resolved: int, manners: Manners) -> Change:
    """It is not so any more; once it stays away: forget it where it was never believed, or resolve it."""
    now, limits = manners.now, manners.limits
    since = alert.clear_since or now
    if alert.state == "pending" and _believed(alert.rule, alert.since, lasted(alert.seen_at, since, limits), limits):
        return manners.told(
            alert, dataclasses.replace(alert, state="open", opened_at=now, clear_since=since), Event.OPENED
        )
    growing = min(LONGEST_CALM, limits.resolve_after * 2 ** min(resolved, 20))
    calm = limits.open_after if alert.state == "pending" else max(limits.resolve_after, growing)
    if alert.told and not manners.tells:
        calm += FOR_OTHERS
    if (now - since).total_seconds() < calm:
        return Change(alert, dataclasses.replace(alert, clear_since=since))
    if alert.state == "pending":
        return Change(alert, None)
    after = dataclasses.replace(alert, clear_since=since, state="resolved", resolved_at=now)
    return manners.told(alert, after, Event.RESOLVED if alert.told else None)


def lasted(seen: dt.datetime, gone: dt.datetime, limits: HealthSettings) -> dt.datetime:
    """Until when something may have been so that was last seen at `seen` and no more at `gone`: a look longer.

    What nobody looked at for hours did not last for hours.
    """
    return min(gone, seen + dt.timedelta(seconds=max(limits.every, limits.patience)))


@dataclasses.dataclass(frozen=True, slots=True)
class Missed:
    """What was found while nothing could be written, and when it was last seen."""

    finding: Finding
    seen: dt.datetime


def missed(found: Iterable[Missed], report: Report, limits: HealthSettings) -> list[tuple[Finding, dt.datetime]]:
    """Of what was found while nothing could be written: what is over and lasted long enough, and until when."""
    now, keys = report.checked_at, {f.key for f in report.findings}
    over = [(one.finding, lasted(one.seen, now, limits)) for one in found if one.finding.key not in keys]
    return [(f, until) for f, until in over if _alerts(f) and _believed(f.rule, f.since or until, until, limits)]
