"""A report and what follows from it, in one transaction: the row, alerts that begin, change and end, who is told."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from tipoff.delivery.announce import announce, receivers
from tipoff.delivery.notice import Notice, Severity
from tipoff.health.alerting import Event, Missed, decide, missed
from tipoff.health.report import Finding, Report
from tipoff.health.settings import HealthSettings
from tipoff.storage import alerts, reports
from tipoff.storage.alerts import Alert
from tipoff.storage.pool import Connection

Hurry = Callable[[Connection], object]
"""asks for delivery in the transaction that puts messages into the outbox"""


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An alert and what people were told of it."""

    alert: Alert
    event: Event


def keep(
    connection: Connection, report: Report, limits: HealthSettings, channels: Sequence[str],
    unwritten: Iterable[Missed] = (), hurry: Hurry = lambda _: None,
) -> list[Told]:  # fmt: skip
    """Write the report, let alerts follow it, put what people are told into the outbox; `hurry` delivers it soon."""
    with connection.transaction():
        reports.keep(connection, report.as_json(), report.checked_at)
        told = [
            *_over(connection, report, limits, channels, unwritten), *_follow(connection, report, limits, channels),
        ]  # fmt: skip
        _tell(connection, told, report.checked_at, limits, channels, hurry)
    return told


def keep_missed(
    connection: Connection, report: Report, limits: HealthSettings, channels: Sequence[str],
    unwritten: Iterable[Missed], hurry: Hurry,
) -> list[Told]:  # fmt: skip
    """Only the alerts of what was over before it could be written: the report itself is another process's."""
    with connection.transaction():
        told = _over(connection, report, limits, channels, unwritten)
        _tell(connection, told, report.checked_at, limits, channels, hurry)
    return told


def _tell(
    connection: Connection, told: Sequence[Told], now: dt.datetime, limits: HealthSettings, channels: Sequence[str],
    hurry: Hurry,
) -> None:  # fmt: skip
    for one in told:
        _announce(connection, one, now, limits, channels)
    if told:
        hurry(connection)


def _follow(connection: Connection, report: Report, limits: HealthSettings, channels: Sequence[str]) -> list[Told]:
    """Let alerts follow the report, in the caller's transaction."""
    live = alerts.live(connection, report.checked_at)
    begun, changes = decide(live, report, limits)
    tells = True
    if any(one.opened for one in begun) or any(one.event for one in changes):
        tells = receivers(connection, channels) > 0
        begun, changes = decide(live, report, limits, tells=tells)
    told = [
        one for begin in begun
        for one in _begin(connection, begin.finding, report, opened=begin.opened, tells=tells)
    ]  # fmt: skip
    for change in changes:
        if change.after is None:
            alerts.drop(connection, change.before.id)
    alerts.write(connection, [c.after for c in changes if c.after is not None and c.after != c.before])
    return told + [Told(c.after, c.event) for c in changes if c.after is not None and c.event is not None]


def _over(
    connection: Connection,
    report: Report,
    limits: HealthSettings,
    channels: Sequence[str],
    unwritten: Iterable[Missed],
) -> list[Told]:
    """Alerts of what began and ended while nothing could be written: opened now, and resolved once it stays away."""
    found = missed(unwritten, report, limits)
    tells = bool(found) and receivers(connection, channels) > 0
    told = []
    for f, until in found:
        since = f.since or until
        said = f"{f.message} (from {since:%H:%M:%S} to {until:%H:%M:%S} UTC, {_long(until - since)})"
        new = dataclasses.replace(f, message=said)
        told += _begin(connection, new, report, opened=True, clear=True, tells=tells)
    return told


def _begin(
    connection: Connection, finding: Finding, report: Report, *, opened: bool, tells: bool, clear: bool = False
) -> list[Told]:
    """A new alert, and that people are told of it where it is believed; nothing where there is one."""
    f, now = finding, report.checked_at
    made = alerts.begin(
        connection, f.rule, f.subject, f.severity.value, f.message, f.remedy, f.since or now, now, opened=opened,
        clear=clear,
    )  # fmt: skip
    if made is None or not opened or not tells:
        return []
    made = dataclasses.replace(made, told_at=now, told=1, told_severity=made.severity)
    alerts.write(connection, [made])
    return [Told(made, Event.OPENED)]


def _long(span: dt.timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _announce(
    connection: Connection, told: Told, now: dt.datetime, limits: HealthSettings, channels: Sequence[str]
) -> None:
    """Warnings wait for the end of the quiet hours."""
    alert = told.alert
    wait = limits.quiet_until(now) if alert.severity == "warning" else None
    notice = Notice(
        alert.id, alert.rule, alert.subject, cast(Severity, alert.severity), told.event.value, alert.message,
        alert.remedy, alert.since, now,
    )  # fmt: skip
    announce(connection, channels, notice, not_before=wait, now=now)
