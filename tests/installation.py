"""A whole installation for tests that take its parts away: league, database and store are reached through relays."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from tests import hasty_jobs, job_types
from tests.jobs import ROOT, WorkerProcess
from tests.proxy import Proxy
from tests.sealing import MINUTE, waiting
from tests.supabase_storage import SECRET
from tests.web import WebProcess
from tipoff.clock import SystemClock
from tipoff.domain.job import Job
from tipoff.jobs.service import JobService
from tipoff.jobs.types import job_types as known
from tipoff.pipeline.fetch import days_until, fetch
from tipoff.pipeline.train import train
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.pool import Pool, open_pool
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners

MODULES = [job_types.__name__, hasty_jobs.__name__]
JOBS = JobService(known(MODULES))
SEED = 7
DAYS = 16


@dataclasses.dataclass(slots=True)
class Installation:
    """`pool` leads straight to the database; `dsn`, as the processes know it, through the relay."""

    pool: Pool
    dsn: str
    home: Path
    league: Proxy
    database: Proxy
    store: Proxy
    settings: dict[str, str]
    worker: WorkerProcess
    web: WebProcess

    def another_worker(self, *arguments: str) -> WorkerProcess:
        """One more worker, not waited for."""
        return WorkerProcess(self.dsn, self.home, *(arguments or ("--no-schedules",)), **self.settings)

    def enqueue(self, name: str, **params: object) -> uuid.UUID:
        """A job that waits."""
        with self.pool.connection() as connection:
            return JOBS.enqueue(connection, name, params).id

    def fixtures(self, prefix: str) -> None:
        """Three matches that are to be sealed now."""
        with self.pool.connection() as connection:
            waiting(connection, [dt.datetime.now(dt.UTC) + 25 * MINUTE] * 3, prefix)

    def sealed(self, prefix: str) -> int:
        """How many of them were."""
        with self.pool.connection() as connection:
            [(number,)] = connection.execute(
                "select count(distinct external_id) from match_predictions where external_id like %s", (f"{prefix}%",)
            ).fetchall()
        return int(number)


@contextlib.contextmanager
def installation(dsn: str, home: Path) -> Iterator[Installation]:
    """On that database, which has the schema and gets some days of the league and a champion."""
    sockets = Path(str(conninfo_to_dict(dsn)["host"])) / ".s.PGSQL.5432"
    with contextlib.ExitStack() as open_ones:
        enter = open_ones.enter_context
        league = enter(
            Proxy(enter(_process(home, "-m", "tipoff", "serve-league", "--port", "0", "--seed", str(SEED))))
        )
        store = enter(Proxy(enter(_process(home, "-m", "tests.supabase_storage"))))
        database = enter(Proxy(sockets, home / ".s.PGSQL.5432"))
        pool = enter(contextlib.closing(open_pool(dsn)))
        _learn(pool, home, f"http://127.0.0.1:{league.port}/v1")
        relayed = dsn.replace(str(sockets.parent), str(home))
        settings = {
            "TIPOFF_SOURCE": "league", "TIPOFF_LEAGUE_URL": f"http://127.0.0.1:{league.port}/v1",
            "SUPABASE_URL": f"http://127.0.0.1:{store.port}", "SUPABASE_SERVICE_ROLE_KEY": SECRET,
            "TIPOFF_LEAGUE_SEED": str(SEED), "TIPOFF_JOB_MODULES": ",".join(MODULES),
            "TIPOFF_WEBHOOKS_PRIVATE": "true",
        }  # fmt: skip
        worker = WorkerProcess(relayed, home, "--no-schedules", **settings)
        web = WebProcess(relayed, home, **settings)
        made = Installation(pool, relayed, home, league, database, store, settings, worker, web)
        open_ones.callback(web.stop)
        open_ones.callback(lambda: made.worker.stop())  # noqa: PLW0108 - by then it may be another one
        worker.ready()
        yield made


@contextlib.contextmanager
def _process(home: Path, *arguments: str) -> Iterator[int]:
    """A server of its own; the port that it names on its first line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TIPOFF_HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, cwd=home, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[^:]+:(\d+)", process.stdout.readline())
            assert found is not None
            yield int(found[1])
        finally:
            process.terminate()


def _learn(pool: Pool, home: Path, url: str) -> None:
    """Some days of results, and a champion."""
    clock = SystemClock()
    with contextlib.closing(H2H2026Source(url, clock, Manners(spacing=0), f"league:{SEED}")) as source:
        fetch(pool, source, days_until(clock.now(), DAYS), clock.now())
    assert train(pool, DirectoryStore(home), clock.now(), "test").submitted.activated


def outcome(job: Job) -> tuple[Any, ...]:
    """(status, kind of the last error)."""
    return job.status.value, (job.error or {}).get("kind")


__all__ = ["DAYS", "Installation", "installation", "outcome"]
