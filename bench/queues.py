"""Ours beside PgQueuer and procrastinate: pick-up, throughput, recovery; the same body, Postgres and run."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.postgres import Statements, fresh_postgres
from bench.queue_types import TYPES
from bench.queue_worker import procrastinate_app
from tests.chaos.evidence import quantile
from tests.jobs import ROOT, WorkerProcess
from tipoff.jobs.service import JobService
from tipoff.storage.embedded import PrivatePostgres

CONCURRENCY = 4
PICKED, DRAINED, LOST = 200, 2000, 5
SETTLE = 2.0
"""seconds after which a worker that said it is ready counts as idle"""
IDLE = 20.0
SERVICE = JobService({t.name: t for t in TYPES})


class Engine(abc.ABC):
    """One of the compared queues: how to add jobs, start a worker, and see that all is done.

    Jobs are added over a connection that stays open, so that opening one counts for nobody.
    """

    name = ""
    live = ""
    """counts jobs that are not done"""

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        self.dsn, self.folder = postgres.dsn, folder
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @abc.abstractmethod
    def add(self, kind: str, numbers: list[int]) -> None:
        """Add jobs in one transaction."""

    @contextlib.contextmanager
    def worker(self) -> Iterator[int]:
        """A worker process that is ready; its pid."""
        with subprocess.Popen(
            [sys.executable, "-m", "bench.queue_worker", self.name, self.dsn, str(CONCURRENCY)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
            time.sleep(SETTLE)
            try:
                yield process.pid
            finally:
                process.kill()

    def holder(self, connection: psycopg.Connection[Any], n: int) -> int:
        """The worker that runs job `n`."""
        row = connection.execute("select pid from seen where n = %s order by at desc limit 1", (n,)).fetchone()
        assert row is not None
        return int(row[0])


class Tipoff(Engine):
    """Ours, with its guarded child processes."""

    name = "tipoff"
    live = "select count(*) from job_queue where finished_at is null"

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        super().__init__(postgres, folder)
        self._connection = self._open.enter_context(psycopg.connect(self.dsn, prepare_threshold=None))

    def add(self, kind: str, numbers: list[int]) -> None:
        """Through the service."""
        with self._connection.transaction():
            SERVICE.enqueue_many(self._connection, f"bench_{kind}", [{"n": n} for n in numbers])

    @contextlib.contextmanager
    def worker(self) -> Iterator[int]:
        """`tipoff worker`."""
        made = WorkerProcess(
            self.dsn, self.folder, "--no-schedules", "--concurrency", str(CONCURRENCY), "--grace", "0",
            TIPOFF_JOB_MODULES="bench.queue_types",
        )  # fmt: skip
        try:
            made.ready()
            time.sleep(SETTLE)
            yield made.pid
        finally:
            made.process.kill()
            made.process.wait()

    def holder(self, connection: psycopg.Connection[Any], n: int) -> int:
        """As the queue says."""
        row = connection.execute(
            "select split_part(worker, ':', 2)::int from job_queue where status = 'running' and params ->> 'n' = %s",
            (str(n),),
        ).fetchone()
        assert row is not None
        return int(row[0])


class AsyncEngine(Engine):
    """One whose library wants an event loop: it runs whenever something is added."""

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        super().__init__(postgres, folder)
        self._runner = self._open.enter_context(asyncio.Runner())

    def run(self, work: Awaitable[Any]) -> Any:
        """Until it is done."""

        async def waited() -> Any:
            return await work

        return self._runner.run(waited())


class Procrastinate(AsyncEngine):
    """procrastinate with its psycopg connector."""

    name = "procrastinate"
    live = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        super().__init__(postgres, folder)
        self._app = procrastinate_app(self.dsn)
        self.run(self._app.open_async())
        self._open.callback(lambda: self.run(self._app.close_async()))
        self.run(self._app.schema_manager.apply_schema_async())

    def add(self, kind: str, numbers: list[int]) -> None:
        """Its batch call."""
        self.run(self._app.tasks["body"].batch_defer_async(*({"kind": kind, "n": n} for n in numbers)))


class PgQueuer(AsyncEngine):
    """PgQueuer with its asyncpg driver, the faster of its two."""

    name = "pgqueuer"
    live = "select count(*) from pgqueuer"

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        super().__init__(postgres, folder)
        import asyncpg
        from pgqueuer import Queries

        parts = conninfo_to_dict(self.dsn)
        connection = self.run(
            asyncpg.connect(host=parts["host"], user=parts["user"], database=parts["dbname"], port=5432)
        )
        self._open.callback(lambda: self.run(connection.close()))
        self._queries = Queries.from_asyncpg_connection(connection)
        self.run(self._queries.install())

    def add(self, kind: str, numbers: list[int]) -> None:
        """Its batch call."""
        payloads = [f"{kind} {n}".encode() for n in numbers]
        self.run(self._queries.enqueue(["body"] * len(payloads), payloads, [0] * len(payloads)))


def queues() -> dict[str, Any]:
    """Every engine in the same fresh Postgres, one after the other."""
    found: dict[str, Any] = {"concurrency": CONCURRENCY}
    with fresh_postgres() as postgres, tempfile.TemporaryDirectory(prefix="tipoff-bench-") as folder:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("create table seen (n int, pid int, at timestamptz default clock_timestamp())")
        for kind in (Tipoff, PgQueuer, Procrastinate):
            with kind(postgres, Path(folder)) as engine:
                found[engine.name] = {
                    **_picked_up(engine), **_drained(engine), **_idle(engine, postgres), **_recovered(engine),
                }  # fmt: skip
            print(engine.name, found[engine.name], flush=True)
    return found


def _idle(engine: Engine, postgres: PrivatePostgres) -> dict[str, float]:
    """Statements a second that a worker without work asks."""
    with engine.worker():
        statements = Statements(postgres)
        statements.begin()
        begun = time.monotonic()
        time.sleep(IDLE)
        taken = time.monotonic() - begun
        asked = [what for _, what in statements.taken() if "pg_settings" not in what and "alter system" not in what]
    assert asked
    return {"idle_queries_a_second": len(asked) / taken}


def _picked_up(engine: Engine) -> dict[str, float]:
    """Milliseconds from when a job was added (committed) until its body begins, by an idle worker."""
    asked: list[float] = []
    with engine.worker(), psycopg.connect(engine.dsn, autocommit=True) as connection:
        connection.execute("truncate seen")
        engine.add("seen", list(range(-CONCURRENCY, 0)))
        time.sleep(2.0)
        for n in range(PICKED):
            engine.add("seen", [n])
            asked.append(_committed(connection))
            time.sleep(0.05)
        time.sleep(2.0)
        begun = dict(connection.execute("select n, extract(epoch from at)::float8 from seen where n >= 0").fetchall())
    waits = [1000 * (begun[n] - moment) for n, moment in enumerate(asked)]
    return {"pick_up_p50_ms": quantile(waits, 0.5), "pick_up_p95_ms": quantile(waits, 0.95)}


def _committed(connection: psycopg.Connection[Any]) -> float:
    row = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
    assert row is not None
    return float(row[0])


def _drained(engine: Engine) -> dict[str, float]:
    """Jobs a second that do nothing, added at once beside an idle worker."""
    with engine.worker(), psycopg.connect(engine.dsn, autocommit=True) as connection:
        engine.add("nothing", list(range(CONCURRENCY)))
        _until_none(connection, engine)
        begun = time.perf_counter()
        engine.add("nothing", list(range(DRAINED)))
        added = time.perf_counter() - begun
        _until_none(connection, engine)
        return {"jobs_a_second": DRAINED / (time.perf_counter() - begun), "added_a_second": DRAINED / added}


def _until_none(connection: psycopg.Connection[Any], engine: Engine) -> None:
    end = time.monotonic() + 120
    while connection.execute(engine.live.encode()).fetchone() != (0,):
        assert time.monotonic() < end, f"{engine.name} did not finish"
        time.sleep(0.02)


def _recovered(engine: Engine) -> dict[str, float]:
    """Seconds from the kill of a worker until its job begins on the other one."""
    waits = []
    for i in range(LOST):
        n = 1_000_000 + i
        with (
            engine.worker() as one, engine.worker() as other,
            psycopg.connect(engine.dsn, autocommit=True) as connection,
        ):  # fmt: skip
            engine.add("slow", [n])
            _wait(connection, n, 1)
            holder = engine.holder(connection, n)
            assert holder in (one, other)
            os.kill(holder, signal.SIGKILL)
            killed = time.monotonic()
            _wait(connection, n, 2)
            waits.append(time.monotonic() - killed)
    return {"recovery_p50_s": quantile(waits, 0.5), "recovery_max_s": max(waits)}


def _wait(connection: psycopg.Connection[Any], n: int, times: int) -> None:
    end = time.monotonic() + 60
    while connection.execute("select count(*) from seen where n = %s", (n,)).fetchone() != (times,):
        assert time.monotonic() < end, f"job {n} did not begin {times} times"
        time.sleep(0.05)
