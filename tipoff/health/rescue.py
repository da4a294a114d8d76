"""Telling people when those who would tell them are what is gone.

Messages are delivered by jobs. Where they are due and nobody delivers them, a process of its own does; where nothing
can be written, so that there is no outbox, one tells the operator's channels directly. Both are other processes, so
that this one stays small and nothing that hangs in a channel hangs here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import structlog

from tipoff.delivery.notice import Notice
from tipoff.health.report import Finding, Report
from tipoff.health.settings import HealthSettings

LATE = 90.0
"""seconds that a message may be due; without a worker it is delivered at once"""
AGAIN = 60.0
"""seconds between two processes of one kind"""
CALM = 600.0
"""seconds after which an absence is another one"""
UNWRITTEN = ("database_away", "database_unwritable")
"""what keeps everything from being written, this process's own messages too"""
DELIVER = ["-m", "tipoff", "jobs", "run", "outbox_delivery", "--inline"]
DIRECT = ["-m", "tipoff.delivery.direct"]


class Rescue:
    """At most one process of each kind at a time, in this environment."""

    def __init__(self, environment: Mapping[str, str], *, channels: bool = True) -> None:
        self._environment, self._channels = environment, channels
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._begun: dict[str, float] = {}
        self._told: float | None = None
        self._held: dt.datetime | None = None
        self._log = structlog.get_logger("tipoff.health")

    def see(self, report: Report, limits: HealthSettings) -> None:
        """After each look, this process's or another's: do what nobody else can."""
        for process in self._processes.values():
            process.poll()  # one that has ended is no more
        held = next((f for f in report.findings if f.rule in UNWRITTEN), None)
        if held is not None:
            if self._channels:
                self._tell_alone(held, report, limits)
            return
        age = report.metrics.get("message_age_seconds") or 0.0
        nobody = any(f.rule == "no_workers" for f in report.findings)
        if age > (0.0 if nobody else LATE) and self._free("deliver", AGAIN):
            self._run("deliver", DELIVER, "messages are due and nobody delivers them: a process of its own does")

    def stop(self) -> None:
        """End what still runs: what it has not delivered waits."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(2.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _tell_alone(self, held: Finding, report: Report, limits: HealthSettings) -> None:
        """Tell that it is so once it has lasted; again after a failure, and as often as a reminder is due.

        What comes back before it was away for a while is the same: it is not told anew.
        """
        since = held.since or report.checked_at
        calm = dt.timedelta(seconds=max(CALM, limits.resolve_after))
        if self._held is not None and since - self._held > calm:
            self._told = None
        self._held = report.checked_at
        if (report.checked_at - since).total_seconds() < limits.open_after:
            return
        process = self._processes.get("direct")
        failed = process is not None and process.poll() not in (None, 0)
        now = time.monotonic()
        if self._told is not None and not failed and now - self._told < 3600 * limits.remind_hours:
            return
        if self._free("direct", AGAIN):
            self._told = now
            said = json.dumps(_notice(held, report).as_json())
            self._run("direct", DIRECT, "nothing can be written: channels are told directly", said)

    def _free(self, kind: str, seconds: float) -> bool:
        """Whether no process of that kind is at it, nor was begun just now."""
        process = self._processes.get(kind)
        busy = process is not None and process.poll() is None
        return not busy and time.monotonic() - self._begun.get(kind, -1e9) >= seconds

    def _run(self, kind: str, arguments: Sequence[str], why: str, said: str = "") -> None:
        self._log.warning(why)
        self._begun[kind] = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            env=self._environment,
        )  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(said)
            process.stdin.close()
        self._processes[kind] = process


def _notice(held: Finding, report: Report) -> Notice:
    said = f"{held.message} ({report.checker} says so by itself: you may be told again, also by others)"
    now = report.checked_at
    return Notice(None, held.rule, held.subject, "error", "opened", said, held.remedy, held.since or now, now)
