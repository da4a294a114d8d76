"""The periodic look: of many processes one looks at a time, and all know what it found."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import structlog

from tipoff.clock import Clock
from tipoff.errors import TipoffError
from tipoff.health.alerting import Event, Missed
from tipoff.health.facts import Line
from tipoff.health.inspector import Inspector, OpenStore, plainly
from tipoff.health.keeping import Hurry, Told, keep, keep_missed
from tipoff.health.probe import HungError, Probe
from tipoff.health.report import Checked, Finding, Report, read_report
from tipoff.health.rescue import UNWRITTEN, Rescue
from tipoff.health.rules import error
from tipoff.health.settings import HealthSettings
from tipoff.settings import Settings
from tipoff.storage import reports

STALE = 4.0
"""periods after which a report is none any more"""
AT_MOST = 1.0
"""seconds between two looks that are asked for"""


class Monitor:
    """`start` looks from now on; `latest` is what is known, `fresh` looks now."""

    def __init__(
        self, settings: Settings, limits: HealthSettings, clock: Clock, dsn: Callable[[], str], open_store: OpenStore,
        channels: Sequence[str] = (), waiting: Callable[[], int | None] = lambda: None,
        rescue: Rescue | None = None, hurry: Hurry = lambda _: None,
    ) -> None:  # fmt: skip
        self._limits, self._clock, self._channels, self._rescue = limits, clock, channels, rescue
        self._hurry = hurry
        self._dsn = dsn
        self._line, self._own = Line(dsn, limits.patience), Line(dsn, limits.patience)
        self._inspector = Inspector(settings, limits, clock, self._line, open_store, waiting)
        self._writing: Probe[list[Told]] = Probe("keeping")
        self._claiming: Probe[tuple[bool, float, dict[str, Any] | None]] = Probe("claim")
        self._log = structlog.get_logger("tipoff.health")
        self._looking, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._latest: Report | None = None
        self._read: object = None
        self._kept: dt.datetime | None = None
        self._looked = self._learned = -1e9
        self._unwritten: dict[tuple[str, str], Missed] = {}

    def start(self) -> None:
        """Look in the background from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._line.cut()
        self._own.cut()
        if self._thread.ident is not None:
            self._thread.join(timeout=2.0)
        if self._rescue is not None:
            self._rescue.stop()

    def latest(self) -> Report:
        """What is known; where nobody has looked for long, that is what it says."""
        report = self._latest
        if report is None:
            return self.fresh()
        age = time.monotonic() - self._learned
        if age <= STALE * max(self._limits.every, 2 * self._limits.patience):
            return report
        old = error("not_looked_at", f"nobody has looked for {age:.0f} s: this is what was known then", "monitor")
        return _with(report, "monitor", old)

    @property
    def knows(self) -> bool:
        """Whether there is a report yet."""
        return self._latest is not None

    def fresh(self) -> Report:
        """Look now, at everything, and know it; several who ask at once get the same look."""
        with self._looking:
            if time.monotonic() - self._looked >= AT_MOST or self._latest is None:
                self._look(None, whole=True)
            assert self._latest is not None  # noqa: S101 - known now, or before
            return self._latest

    def turn(self) -> None:
        """Look and write it down where it is this process's turn; else learn what the one whose turn it was found."""
        began = self._clock.now()
        mine, news = self._claim()
        if mine:
            with self._looking:
                report = self._look(began)
            self._write(lambda line: self._keep(line, report), report)
        elif self._unwritten and news is not None:
            self._write(lambda line: self._keep_missed(line, news), news)
        if self._rescue is not None and self._latest is not None:
            self._rescue.see(self._latest, self._limits)

    def _look(self, began: dt.datetime | None, *, whole: bool = False) -> Report:
        before = self._latest
        found = self._inspector.look(began, whole=whole, after=self._kept).since(before)
        self._latest, self._looked = found, time.monotonic()
        self._learned = self._looked
        return found

    def _claim(self) -> tuple[bool, Report | None]:
        """(whether to look, another process's report that is news); each looks while nobody can be asked."""
        figures = self._inspector.figures()
        self._claiming.start(functools.partial(self._ask_whose_turn, self._own, figures))
        try:
            mine, age, value = self._claiming.result(self._limits.patience)
        except (HungError, psycopg.Error, TipoffError, OSError):
            self._renew()
            return True, None
        return mine, None if value is None else self._learn(value, age)

    def _ask_whose_turn(self, line: Line, figures: Mapping[str, Any]) -> tuple[bool, float, dict[str, Any] | None]:
        with line.use() as connection:
            name, host = self._inspector.name, self._inspector.host
            return reports.claim(connection, name, host, figures, 0.9 * self._limits.every)

    def _learn(self, value: Mapping[str, Any], age: float) -> Report | None:
        """Another process's look, where it is news; it is as old as it is."""
        if value.get("checked_at") == self._read:
            return None
        self._read = value.get("checked_at")
        try:
            report = read_report(value)
        except (KeyError, ValueError, TypeError, AttributeError) as failure:  # code of another version wrote it
            self._log.warning("the newest health report cannot be read", error=repr(failure)[:200])
            return None
        self._kept = max(report.checked_at, self._kept or report.checked_at)
        with self._looking:
            learned = time.monotonic() - max(0.0, age)
            if learned <= self._learned:
                return None
            self._latest, self._learned = report, learned
        return report

    def _write(self, act: Callable[[Line], list[Told]], report: Report) -> None:
        """Write; what cannot be written is kept for later, and is itself an error."""
        self._writing.start(functools.partial(act, self._own))
        try:
            told = self._writing.result(self._limits.patience)
        except (HungError, psycopg.Error, TipoffError, OSError) as failure:
            if not self._stop.is_set():
                self._renew()
                self._unwritable(report, failure)
            return
        self._unwritten.clear()
        self._kept = max(report.checked_at, self._kept or report.checked_at)
        for one in told:
            if one.event is not Event.OPENED or one.alert.opened_at == report.checked_at:
                self._log.warning(
                    "alert", rule=one.alert.rule, subject=one.alert.subject, severity=one.alert.severity,
                    alert_event=one.event.value, alert_id=one.alert.id, message=one.alert.message,
                )  # fmt: skip

    def _unwritable(self, report: Report, failure: Exception) -> None:
        """The database answers and takes nothing, or is away as the report says already."""
        self._log.warning("the health report could not be written", error=plainly(failure)[:200])
        if not any(f.rule in UNWRITTEN for f in report.findings):
            said = f"nothing can be written to the database: {plainly(failure)}"
            began = self._unwritten.get(("database_unwritable", ""))
            since = began.finding.since if began else report.checked_at
            new = dataclasses.replace(error("database_unwritable", said), since=since)
            report = self._latest = _with(report, "database", new)
        self._unwritten |= {finding.key: Missed(finding, report.checked_at) for finding in report.findings}

    def _renew(self) -> None:
        """Whoever hangs on the connection keeps it to itself; a new one is made when needed."""
        self._own.cut()
        self._own = Line(self._dsn, self._limits.patience)

    def _keep(self, line: Line, report: Report) -> list[Told]:
        with line.use() as connection:
            return keep(connection, report, self._limits, self._channels, list(self._unwritten.values()), self._hurry)

    def _keep_missed(self, line: Line, report: Report) -> list[Told]:
        found = list(self._unwritten.values())
        with line.use() as connection:
            return keep_missed(connection, report, self._limits, self._channels, found, self._hurry)

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            wait = self._limits.every
            try:
                self.turn()
            except Exception:  # noqa: BLE001 - said, and the next turn comes
                self._log.exception("the health check failed")
                wait *= 2  # the next turn is another process's
            self._stop.wait(max(0.1, wait - (time.monotonic() - begun)))


def _with(report: Report, name: str, finding: Finding) -> Report:
    """The report with one more finding of a check."""
    old = report.checks.get(name, Checked("", looked=False, since=finding.since))
    new = dataclasses.replace(old, findings=(*old.findings, dataclasses.replace(
        finding, since=finding.since or report.checked_at)), since=old.since or report.checked_at)  # fmt: skip
    return dataclasses.replace(report, checks={**report.checks, name: new})
