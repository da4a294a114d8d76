"""A report and what follows from it, in one transaction: the row, alerts that begin, change and end, who is told."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import cast

from tipoff.delivery.announce import announce
from tipoff.delivery.notice import Notice, Severity
from tipoff.health.alerting import Event, decide, missed
from tipoff.health.report import Finding, Report
from tipoff.health.settings import HealthSettings
from tipoff.storage import alerts, reports
from tipoff.storage.alerts import Alert
from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An alert and what people were told of it."""

    alert: Alert
    event: Event


def keep(
    connection: Connection, report: Report, limits: HealthSettings, channels: Sequence[str],
    unwritten: Iterable[Finding] = (),
) -> list[Told]:  # fmt: skip
    """Write the report, let alerts follow it, and put what people are told into the outbox."""
    now = report.checked_at
    with connection.transaction():
        reports.keep(connection, report.as_json(), now)
        told = [*_over(connection, report, limits, unwritten), *follow(connection, report, limits)]
        for one in told:
            _announce(connection, one, now, limits, channels)
    return told


def follow(connection: Connection, report: Report, limits: HealthSettings) -> list[Told]:
    """Let alerts follow the report, in the caller's transaction."""
    now, told = report.checked_at, []
    begun, changes = decide(alerts.live(connection, now), report, limits)
    for begin in begun:
        f = begin.finding
        made = alerts.begin(
            connection,
            f.rule,
            f.subject,
            f.severity.value,
            f.message,
            f.remedy,
            f.since or now,
            now,
            opened=begin.opened,
        )
        if made is not None and begin.opened:
            told.append(_told(connection, made, now))
    for change in changes:
        if change.after is None:
            alerts.drop(connection, change.before.id)
        elif change.after != change.before:
            alerts.write(connection, change.after)
        if change.after is not None and change.event is not None:
            told.append(Told(change.after, change.event))
    return told


def _over(connection: Connection, report: Report, limits: HealthSettings, unwritten: Iterable[Finding]) -> list[Told]:
    """Alerts of what began and ended while nothing could be written: opened now, and resolved once it stays away."""
    now, told = report.checked_at, []
    for f in missed(unwritten, report, limits):
        since = f.since or now
        said = f"{f.message} (from {since:%H:%M:%S} to {now:%H:%M:%S} UTC, {_long(now - since)})"
        made = alerts.begin(
            connection, f.rule, f.subject, f.severity.value, said, f.remedy, since, now, opened=True, clear=True
        )
        if made is not None:
            told.append(_told(connection, made, now))
    return told


def _long(span: dt.timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _told(connection: Connection, alert: Alert, now: dt.datetime) -> Told:
    alert = dataclasses.replace(alert, told_at=now, told=1)
    alerts.write(connection, alert)
    return Told(alert, Event.OPENED)


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
