"""Telling people when those who would tell them are what is gone.

Messages are delivered by jobs. Where no worker is alive, a process of its own delivers what waits in the outbox;
where the database is away, so that there is no outbox, one tells the operator's channels directly. Both are other
processes, so that this one stays small and nothing that hangs in a channel hangs here.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import structlog

from tipoff.delivery.notice import Notice
from tipoff.health.keeping import Told
from tipoff.health.report import Finding, Report
from tipoff.health.settings import HealthSettings

AGAIN = 300.0
"""seconds between two deliveries while nobody works and nothing new is to be told"""
DELIVER = ["-m", "tipoff", "jobs", "run", "outbox_delivery", "--inline"]
DIRECT = ["-m", "tipoff.delivery.direct"]


class Rescue:
    """At most one process of each kind at a time, in this environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._delivered = time.monotonic()
        self._told_of: object = None
        self._log = structlog.get_logger("tipoff.health")

    def deliver(self, report: Report, told: Sequence[Told]) -> None:
        """After a look that was written: deliver what waits, where no worker does."""
        if not any(f.rule == "no_workers" for f in report.findings):
            return
        if (told or time.monotonic() - self._delivered >= AGAIN) and self._free("deliver"):
            self._delivered = time.monotonic()
            self._run("deliver", DELIVER, "no worker is alive: messages are delivered by a process of their own")

    def tell_alone(self, report: Report, limits: HealthSettings) -> None:
        """After a look that could not be written: tell once of each time that the database is away for long."""
        away = next((f for f in report.findings if f.rule == "database_away"), None)
        if away is None or away.since is None or self._told_of == away.since:
            return
        if (report.checked_at - away.since).total_seconds() < limits.open_after or not self._free("direct"):
            return
        self._told_of = away.since
        said = json.dumps(_notice(away, report).as_json())
        self._run("direct", DIRECT, "the database is away: channels are told directly", said)

    def _free(self, kind: str) -> bool:
        """Whether no process of that kind is still at it."""
        process = self._processes.get(kind)
        return process is None or process.poll() is not None

    def _run(self, kind: str, arguments: Sequence[str], why: str, said: str = "") -> None:
        self._log.warning(why)
        process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            env=self._environment,
        )  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(said)
            process.stdin.close()
        self._processes[kind] = process


def _notice(away: Finding, report: Report) -> Notice:
    said = f"{away.message} ({report.checker} says so by itself: you may be told again, also by others)"
    now = report.checked_at
    return Notice(None, away.rule, away.subject, "error", "opened", said, away.remedy, away.since or now, now)
