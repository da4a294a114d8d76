"""One look at everything: facts from the database, the machines and the store of models, judged by the checks."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import psycopg
import structlog

from tipoff.clock import Clock
from tipoff.health.checks import artifact_store as store
from tipoff.health.checks.data_freshness import data_freshness
from tipoff.health.checks.database import away, database
from tipoff.health.checks.forecasts import forecasts
from tipoff.health.checks.job_queue import job_queue
from tipoff.health.checks.models import models
from tipoff.health.checks.resources import resources
from tipoff.health.facts import Facts, Line, Unanswered, gather
from tipoff.health.machine import Gauge, Machine
from tipoff.health.probe import HungError, Probe
from tipoff.health.report import Checked, Report
from tipoff.health.rules import CHECKS, error
from tipoff.health.settings import HealthSettings
from tipoff.logs import Redactor
from tipoff.settings import Settings
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.migrations import files

T = TypeVar("T")
ADDRESS = re.compile(
    r"^.*connection to server (?:at|on) .*? failed: |^connection (?:is bad|failed): "
    r"| for user \"[^\"]*\"| host '[^']*'"
)
"""what a driver's message says of the server's address, and who asked"""
JUST_NOW = 1.0
"""seconds for which a machine's figures are those of now"""
OVERLAP = dt.timedelta(seconds=15)
"""jobs that ended so long before the last look may have been committed after it"""
OpenStore = Callable[[], AbstractContextManager[ArtifactStore]]


class Inspector:
    """Looks; nothing that hangs or fails holds the report up for longer than twice the patience of the settings."""

    def __init__(
        self, settings: Settings, limits: HealthSettings, clock: Clock, line: Line, open_store: OpenStore,
        waiting: Callable[[], int | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._settings, self._limits, self._clock, self._line = settings, limits, clock, line
        self._trial, self._waiting = store.StoreLook(open_store, limits.champion_seconds), waiting
        self._gauge = Gauge(settings.home)
        self._database: Probe[Facts] = Probe("database")
        self._machine: Probe[Machine] = Probe("resources")
        self._store: Probe[store.StoreFacts] = Probe("artifact_store")
        self._measuring = threading.Lock()
        self._measured: tuple[float, dict[str, Any]] = (-1e9, {})
        self._champion: str | None = None
        self._home = _storable(str(settings.home))
        self._redactor = Redactor(settings.secrets())
        self._log = structlog.get_logger("tipoff.health")
        self.host = socket.gethostname()
        self.name = f"{self.host}:{os.getpid()}"
        self._expected = files()[-1][0]

    def figures(self) -> dict[str, Any]:
        """How this process's machine is, for whoever looks; what was measured just now is not measured again."""
        with self._measuring:
            if time.monotonic() - self._measured[0] >= JUST_NOW:
                self._measured = time.monotonic(), self._measure()
            return self._measured[1]

    def _measure(self) -> dict[str, Any]:
        self._machine.start(self._gauge.look)
        found: dict[str, Any] = {"pool_waiting": self._waiting()}
        try:
            return found | self._machine.result(self._limits.patience).as_json()
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is what is known of this machine
            return found | {"error": self._public(plainly(failure)), "hung": isinstance(failure, HungError)}

    def look(
        self, began: dt.datetime | None = None, *, whole: bool = False, after: dt.datetime | None = None
    ) -> Report:
        """The system as it is now; `whole`: read the champion's files though they were sound a while ago.

        `began` is when something first went wrong with this look; jobs that failed since `after` are told of.
        """
        begun, began = time.perf_counter(), began or self._clock.now()
        mine = {**self.figures(), "pool_waiting": self._waiting(), "name": self.name, "host": self.host}
        since = after - OVERLAP if after else None
        self._database.start(functools.partial(gather, self._line, self._limits, self._horizon, self._clock, since))
        facts = self._facts()
        if isinstance(facts, Facts) and not isinstance(facts.models, Unanswered):
            self._champion = facts.models.sha256
        self._store.start(functools.partial(self._trial.look, self._champion, whole=whole))
        checks = {name: self._clean(check) for name, check in self._judged(facts, mine).items()}
        answered = isinstance(facts, Facts) and not isinstance(facts.database, Unanswered)
        return Report(
            {name: checks[name] for name in CHECKS}, self._now(facts), 1000 * (time.perf_counter() - begun),
            self.name, None if answered else began,
        )  # fmt: skip

    @property
    def _horizon(self) -> int:
        return min(self._settings.horizons)

    def _now(self, facts: Facts | str) -> dt.datetime:
        """The database's clock, where it answers."""
        if isinstance(facts, Facts) and not isinstance(facts.database, Unanswered):
            return facts.database.now
        return self._clock.now()

    def _facts(self) -> Facts | str:
        """What the database says, or why it says nothing."""
        try:
            return self._database.result(self._limits.patience)
        except HungError:
            self._line.cut()
            return f"no answer within {self._limits.patience:g} s"
        except psycopg.ProgrammingError:
            return "DATABASE_URL is no address of a Postgres"
        except Exception as failure:  # noqa: BLE001 - whatever it is, the database cannot be asked
            return plainly(failure)

    def _judged(self, facts: Facts | str, mine: Mapping[str, Any]) -> dict[str, Checked]:
        limits, found, now = self._limits, self._of_the_store(), self._now(facts)
        judge: dict[str, Callable[[], Checked]] = {
            "artifact_store": lambda: _hung_store(found) or store.artifact_store(found, limits),
        }  # fmt: skip
        if isinstance(facts, str):
            judge |= {"database": lambda: away(facts), "resources": lambda: resources([mine], limits)}
            judge |= {
                name: functools.partial(_blind, name, "the database is away") for name in CHECKS if name not in judge
            }
            return {name: self._safely(name, act) for name, act in judge.items()}
        told = [] if isinstance(facts.queue, Unanswered) else facts.queue.processes
        processes = [*(one for one in told if one["name"] != self.name), mine]
        judge |= {
            "database": lambda: _known(facts.database, "database", lambda answer: database(
                answer, processes, facts.seconds, facts.skew, self._expected, limits)),
            "resources": lambda: resources(processes, limits),
            "job_queue": lambda: _known(facts.queue, "job_queue", lambda answer: job_queue(answer, limits)),
            "models": lambda: _known(facts.models, "models", lambda answer: models(answer, found, now, limits)),
            "data_freshness": lambda: _known(facts.freshness, "data_freshness", lambda answer: data_freshness(
                answer, self._settings.source, now, limits)),
            "forecasts": lambda: _known(facts.forecasts, "forecasts", lambda answer: _known(
                facts.models, "forecasts", lambda ledger: forecasts(answer, ledger, now, limits))),
        }  # fmt: skip
        return {name: self._safely(name, act) for name, act in judge.items()}

    def _safely(self, name: str, act: Callable[[], Checked]) -> Checked:
        """One check that fails unforeseen takes no other with it."""
        try:
            return act()
        except Exception as failure:  # noqa: BLE001 - said in the log and in the report
            self._log.exception("a check failed", check=name)
            said = f"the check {name} failed: {type(failure).__name__}"
            return Checked("", (error("check_failed", said, name),), looked=False)

    def _of_the_store(self) -> store.StoreFacts:
        try:
            return self._store.result(self._limits.patience)
        except HungError as failure:
            return store.StoreFacts(away=str(failure), hung=True)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the store does not work
            return store.StoreFacts(away=plainly(failure))

    def _clean(self, check: Checked) -> Checked:
        """Everybody may read it and Postgres stores it: no secrets, no folders, no characters that are none."""
        return dataclasses.replace(
            check,
            good=self._public(check.good),
            findings=tuple(
                dataclasses.replace(f, message=self._public(f.message), subject=self._public(f.subject))
                for f in check.findings
            ),
            metrics={n: self._public(v) if isinstance(v, str) else v for n, v in check.metrics.items()},
        )

    def _public(self, text: str) -> str:
        return self._redactor.text(_storable(text)).replace(self._home, "TIPOFF_HOME")


def _storable(text: str) -> str:
    """What Postgres takes: without NUL and without halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def plainly(failure: Exception) -> str:
    """Why a connection failed, without the address: everybody may read the report.

    >>> plainly(OSError('connection to server at "db.example" (10.0.0.7), port 5432 failed: Connection refused'))
    'Connection refused'
    """
    said = str(failure).strip()
    reason = ADDRESS.sub("", said.splitlines()[0] if said else "")
    return reason.strip(" .") or type(failure).__name__


def _known(answer: T | Unanswered, name: str, judge: Callable[[T], Checked]) -> Checked:
    """The check's judgement, or that it could not look."""
    if not isinstance(answer, Unanswered):
        return judge(answer)
    return _hung(name, answer.why) if answer.hung else _blind(name, answer.why)


def _hung(name: str, why: str) -> Checked:
    return Checked("", (error("check_hung", f"the check {name} was cut off: {why}", name),), looked=False)


def _hung_store(facts: store.StoreFacts) -> Checked | None:
    return _hung("artifact_store", facts.away or "") if facts.hung else None


def _blind(name: str, why: str) -> Checked:
    return Checked("", (error("not_looked_at", f"{name} was not looked at: {why}", name),), looked=False)
