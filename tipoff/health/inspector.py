"""One look at everything: facts from the database, the machine and the store of models, judged by the checks."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import psycopg

from tipoff.clock import Clock
from tipoff.errors import TipoffError
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
from tipoff.settings import Settings
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.migrations import files

T = TypeVar("T")
ADDRESS = re.compile(
    r"^.*connection to server (?:at|on) .*? failed: |^connection (?:is bad|failed): "
    r"| for user \"[^\"]*\"| host '[^']*'"
)
"""what a driver's message says of the server's address, and who asked"""
OpenStore = Callable[[], AbstractContextManager[ArtifactStore]]


class Inspector:
    """Looks; nothing that hangs holds the report up for longer than twice the patience of the settings."""

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
        self._champion: str | None = None
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._expected = files()[-1][0]

    def look(self) -> Report:
        """The system as it is now."""
        begun = time.perf_counter()
        horizon = min(self._settings.horizons)
        self._machine.start(self._gauge.look)
        self._database.start(functools.partial(gather, self._line, self._limits, horizon, self._clock))
        facts = self._facts()
        if isinstance(facts, Facts) and not isinstance(facts.models, Unanswered):
            self._champion = facts.models.sha256
        self._store.start(functools.partial(self._trial.look, self._champion))
        checks = self._judged(facts)
        ordered = {name: checks[name] for name in CHECKS}
        now = self._clock.now()
        if isinstance(facts, Facts) and not isinstance(facts.database, Unanswered):
            now = facts.database.now
        return Report(ordered, now, 1000 * (time.perf_counter() - begun), self.name)

    def _facts(self) -> Facts | str:
        """What the database says, or why it says nothing."""
        try:
            return self._database.result(self._limits.patience)
        except HungError:
            self._line.cut()
            return f"no answer within {self._limits.patience:g} s"
        except (psycopg.Error, OSError) as failure:
            self._line.close()
            return plainly(failure)
        except TipoffError as failure:
            return str(failure)

    def _judged(self, facts: Facts | str) -> dict[str, Checked]:
        limits, found = self._limits, self._of_the_store()
        checks: dict[str, Checked] = {"artifact_store": _hung_store(found) or store.artifact_store(found)}
        machines = [] if isinstance(facts, str) or isinstance(facts.queue, Unanswered) else facts.queue.machines
        checks["resources"] = self._of_the_machine(lambda machine: resources(machine, machines, limits))
        if isinstance(facts, str):
            checks["database"] = away(facts)
            for name in ("job_queue", "models", "data_freshness", "forecasts"):
                checks[name] = _blind(name, "the database is away")
            return checks
        now = self._clock.now() if isinstance(facts.database, Unanswered) else facts.database.now
        judge: dict[str, Callable[[], Checked]] = {
            "database": lambda: _known(facts.database, "database", lambda answer: database(
                answer, facts.seconds, facts.skew, self._expected, self._waiting(), limits)),
            "job_queue": lambda: _known(facts.queue, "job_queue", lambda answer: job_queue(answer, limits)),
            "models": lambda: _known(facts.models, "models", lambda answer: models(answer, found, now, limits)),
            "data_freshness": lambda: _known(facts.freshness, "data_freshness", lambda answer: data_freshness(
                answer, self._settings.source, now, limits)),
            "forecasts": lambda: _known(facts.forecasts, "forecasts", lambda answer: _known(
                facts.models, "forecasts", lambda ledger: forecasts(answer, ledger, now, limits))),
        }  # fmt: skip
        checks |= {name: act() for name, act in judge.items()}
        return checks

    def _of_the_store(self) -> store.StoreFacts:
        try:
            facts = self._store.result(self._limits.patience)
        except HungError as failure:
            return store.StoreFacts(away=str(failure), hung=True)
        except OSError as failure:
            facts = store.StoreFacts(away=str(failure))
        return dataclasses.replace(facts, away=self._public(facts.away), champion=self._public(facts.champion))

    def _public(self, text: str | None) -> str | None:
        """Without the path of the data directory: everybody may read the report."""
        return None if text is None else text.replace(str(self._settings.home), "TIPOFF_HOME")

    def _of_the_machine(self, judge: Callable[[Machine], Checked]) -> Checked:
        try:
            return judge(self._machine.result(self._limits.patience))
        except HungError as failure:
            return _hung("resources", str(failure))
        except OSError as failure:
            return Checked("", (error("disk_low", f"the disk of TIPOFF_HOME cannot be asked: {failure}"),))


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
