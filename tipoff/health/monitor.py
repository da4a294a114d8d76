"""The periodic look: of many processes one looks at a time, and all know what it found."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import structlog

from tipoff.clock import Clock
from tipoff.errors import TipoffError
from tipoff.health.facts import Line
from tipoff.health.inspector import Inspector, OpenStore
from tipoff.health.keeping import Hurry, Told, keep
from tipoff.health.probe import HungError, Probe
from tipoff.health.report import Checked, Finding, Report, read_report
from tipoff.health.rescue import Rescue
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
        self._claiming: Probe[tuple[bool, int | None, dict[str, Any] | None]] = Probe("claim")
        self._log = structlog.get_logger("tipoff.health")
        self._looking, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._latest: Report | None = None
        self._known: int | None = None
        self._looked = -1e9
        self._unwritten: dict[tuple[str, str], Finding] = {}

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
        self._line.close()
        self._own.close()

    def latest(self) -> Report:
        """What is known; where nobody has looked for long, that is what it says."""
        report, now = self._latest, self._clock.now()
        if report is None:
            return self.fresh()
        age = (now - report.checked_at).total_seconds()
        if age <= STALE * max(self._limits.every, 2 * self._limits.patience):
            return report
        old = error("not_looked_at", f"nobody has looked for {age:.0f} s: this is what was known then", "monitor")
        return dataclasses.replace(report, checks={**report.checks, "monitor": Checked("", (old,), looked=False)})

    @property
    def knows(self) -> bool:
        """Whether there is a report yet."""
        return self._latest is not None

    def fresh(self) -> Report:
        """Look now, and know it; several who ask at once get the same look."""
        with self._looking:
            if time.monotonic() - self._looked >= AT_MOST or self._latest is None:
                self._adopt(self._inspector.look())
                self._looked = time.monotonic()
            assert self._latest is not None  # noqa: S101 - adopted just now or before
            return self._latest

    def turn(self) -> None:
        """Look and write it down where it is this process's turn; else learn what the one whose turn it was found."""
        mine = self._claim()
        if not mine:
            return
        with self._looking:
            self._adopt(self._inspector.look())
            self._looked = time.monotonic()
            report = self._latest
        assert report is not None  # noqa: S101 - adopted just now
        self._write(report)

    def _adopt(self, report: Report) -> None:
        self._latest = report.since(self._latest)

    def _claim(self) -> bool:
        """Also true where nobody can be asked: each process looks for itself while the database is away."""
        self._claiming.start(functools.partial(self._ask_whose_turn, self._own))
        try:
            mine, number, report = self._claiming.result(self._limits.patience)
        except (HungError, psycopg.Error, TipoffError, OSError):
            self._renew()
            return True
        if report is not None and number != self._known:
            self._known = number
            self._learn(report)
        return mine

    def _ask_whose_turn(self, line: Line) -> tuple[bool, int | None, dict[str, Any] | None]:
        with line.use() as connection:
            return reports.claim(connection, self._inspector.name, 0.9 * self._limits.every)

    def _learn(self, value: Mapping[str, Any]) -> None:
        """Another process's look, where it is newer; what only this one knows is written down first."""
        try:
            report = read_report(value)
        except (KeyError, ValueError, TypeError, AttributeError) as failure:  # code of another version wrote it
            self._log.warning("the newest health report cannot be read", error=repr(failure)[:200])
            return
        if not self._unwritten and (self._latest is None or report.checked_at > self._latest.checked_at):
            self._latest = report

    def _write(self, report: Report) -> None:
        unwritten = list(self._unwritten.values())
        act = functools.partial(self._keep, self._own, report, unwritten)
        self._writing.start(act)
        try:
            told = self._writing.result(self._limits.patience)
        except (HungError, psycopg.Error, TipoffError, OSError) as failure:
            if self._stop.is_set():
                return
            self._renew()
            self._unwritten |= {finding.key: finding for finding in report.findings}
            self._log.warning("the health report could not be written", error=str(failure).strip()[:200])
            if self._rescue is not None:
                self._rescue.tell_alone(self._latest or report, self._limits)
            return
        self._unwritten.clear()
        for one in told:
            self._log.warning(
                "alert", rule=one.alert.rule, subject=one.alert.subject, severity=one.alert.severity,
                alert_event=one.event.value, alert_id=one.alert.id, message=one.alert.message,
            )  # fmt: skip
        if self._rescue is not None:
            self._rescue.deliver(report, told)

    def _renew(self) -> None:
        """Whoever hangs on the connection keeps it to itself; a new one is made when needed."""
        self._own.cut()
        self._own = Line(self._dsn, self._limits.patience)

    def _keep(self, line: Line, report: Report, unwritten: Sequence[Finding]) -> list[Told]:
        with line.use() as connection:
            return keep(connection, report, self._limits, self._channels, unwritten, self._hurry)

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self.turn()
            except Exception:  # noqa: BLE001 - said, and tried again at the next turn
                self._log.exception("the health check failed")
            self._stop.wait(max(0.1, self._limits.every - (time.monotonic() - begun)))
