"""A monitor that looks several times a second, a world in which all is well, and waiting for what it finds."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.jobs import eventually
from tipoff.domain.payload import RawPayload
from tipoff.health.monitor import Monitor
from tipoff.health.report import Checked, Status
from tipoff.health.settings import HealthSettings
from tipoff.pipeline.monitoring import monitor_of
from tipoff.settings import Settings
from tipoff.storage import models, payloads
from tipoff.storage.alerts import COLUMNS, Alert
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.pool import Pool

QUICK: dict[str, Any] = {
    "every": 0.25,
    "patience": 2.0,
    "open_after": 0.5,
    "resolve_after": 1.0,
    "champion_seconds": 0,
    "cpu_percent_warning": 101,
}
SECOND = dt.timedelta(seconds=1)


def settings(dsn: str, home: Path, **more: str) -> Settings:
    """Settings of a process in `home` on this database."""
    return Settings.model_validate({"DATABASE_URL": dsn, "TIPOFF_HOME": home, "TIPOFF_SOURCE": "league", **more})


class Watched:
    """A monitor in the background, what it knows, and what it wrote."""

    def __init__(self, monitor: Monitor, pool: Pool) -> None:
        self.monitor, self._pool = monitor, pool

    def check(self, name: str) -> Checked:
        """The check as known now."""
        return self.monitor.latest().checks[name]

    def until(self, name: str, status: str, rule: str | None = None, seconds: float = 15.0) -> Checked:
        """The check once it has that status, because of that rule."""

        def found() -> Checked | None:
            check = self.check(name)
            good = check.status == status and (rule is None or rule in [f.rule for f in check.findings])
            return check if good else None

        try:
            return eventually(found, f"{name} to be {status} ({rule})", seconds)  # type: ignore[return-value]
        except AssertionError as error:
            raise AssertionError(
                f"{error}; it is {[(f.rule, f.message) for f in self.check(name).findings]}"
            ) from None

    def alerts(self, rule: str) -> list[Alert]:
        """Every alert of that rule."""
        with self._pool.connection() as connection:
            rows = connection.execute(f"select {COLUMNS} from alerts where rule = %s order by id".encode(), (rule,))
            return [Alert(*row) for row in rows.fetchall()]

    def only(self, rule: str, state: str, seconds: float = 15.0) -> Alert:
        """The one alert of that rule, once it is in that state; there never was another."""
        eventually(lambda: [a.state for a in self.alerts(rule)] == [state], f"one {rule} {state}", seconds)
        return self.alerts(rule)[0]


@contextlib.contextmanager
def watching(pool: Pool, dsn: str, home: Path, **limits: Any) -> Iterator[Watched]:
    """A monitor of a process on this database, with these limits besides QUICK; `source` may be given."""
    source = limits.pop("source", "league")
    chosen = HealthSettings.model_validate({**QUICK, **limits})
    monitor = monitor_of(settings(dsn, home, TIPOFF_SOURCE=source), chosen)
    monitor.start()
    try:
        yield Watched(monitor, pool)
    finally:
        monitor.stop()


def champion(pool: Pool, home: Path, days: float = 0.5, **measured: Any) -> str:
    """A model that forecasts, with its files in the store of `home`; its sha256."""
    store = DirectoryStore(home)
    state = store.put("state", b"state of a model of the tests")
    document = {"measured": measured, "state_sha256": state, "trained": days}
    text = json.dumps(document, sort_keys=True).encode()
    sha256 = store.put("document", text)
    now = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    with pool.connection() as connection, connection.transaction():
        models.register(connection, sha256, document, now, "test", len(text))
        models.rule(connection, sha256, True, "for a test", {})
        models.activate(connection, sha256, now)
    return sha256


def fetched(pool: Pool, ago: dt.timedelta = dt.timedelta()) -> None:
    """The league answered then, and the answer was read."""
    at = dt.datetime.now(dt.UTC) - ago
    body = json.dumps([hashlib.sha256(str(at).encode()).hexdigest()]).encode()
    with pool.connection() as connection:
        [number] = payloads.keep(connection, [RawPayload("test", "h2h-2026", "schedule", at.date(), at, body)])
        payloads.mark_ingested(connection, [number], at)


__all__ = ["QUICK", "SECOND", "Status", "Watched", "champion", "fetched", "settings", "watching"]
