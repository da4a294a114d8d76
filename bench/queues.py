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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.queue_types import TYPES
from bench.queue_worker import procrastinate_app
from tests.chaos.evidence import quantile
from tests.jobs import ROOT, WorkerProcess
from tipoff.jobs.service import JobService
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import open_pool

CONCURRENCY = 4
PICKED, DRAINED, LOST = 200, 2000, 5
SERVICE = JobService({t.name: t for t in TYPES})


class Engine(abc.ABC):
    """One of the compared queues: how to add jobs, start a worker, and see that all is done."""

    name = ""
    live = ""
    """counts jobs that are not done"""

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        self.dsn, self.folder = postgres.dsn, folder

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
            time.sleep(2.0)
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

    def add(self, kind: str, numbers: list[int]) -> None:
        """Through the service."""
        with psycopg.connect(self.dsn) as connection:
            SERVICE.enqueue_many(connection, f"bench_{kind}", [{"n": n} for n in numbers])

    @contextlib.contextmanager
    def worker(self) -> Iterator[int]:
        """`tipoff worker`."""
        made = WorkerProcess(
            self.dsn, self.folder, "--no-schedules", "--concurrency", str(CONCURRENCY), "--grace", "0",
            TIPOFF_JOB_MODULES="bench.queue_types",
        )  # fmt: skip
        try:
            made.ready()
            time.sleep(2.0)
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


class Procrastinate(Engine):
    """procrastinate with its psycopg connector."""

    name = "procrastinate"
    live = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        super().__init__(postgres, folder)
        asyncio.run(self._install())

    async def _install(self) -> None:
        app = procrastinate_app(self.dsn)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    def add(self, kind: str, numbers: list[int]) -> None:
        """Its batch call."""
        asyncio.run(self._add(kind, numbers))

    async def _add(self, kind: str, numbers: list[int]) -> None:
        app = procrastinate_app(self.dsn)
        async with app.open_async():
            await app.tasks["body"].batch_defer_async(*({"kind": kind, "n": n} for n in numbers))


class PgQueuer(Engine):
    """PgQueuer with its asyncpg driver, the faster of its two."""

    name = "pgqueuer"
    live = "select count(*) from pgqueuer"

    def __init__(self, postgres: PrivatePostgres, folder: Path) -> None:
        super().__init__(postgres, folder)
        asyncio.run(self._with(lambda queries: queries.install()))

    def add(self, kind: str, numbers: list[int]) -> None:
        """Its batch call."""
        payloads = [f"{kind} {n}".encode() for n in numbers]
        asyncio.run(
            self._with(lambda queries: queries.enqueue(["body"] * len(payloads), payloads, [0] * len(payloads)))
        )

    async def _with(self, work: Callable[[Any], Any]) -> None:
        import asyncpg
        from pgqueuer import Queries

        parts = conninfo_to_dict(self.dsn)
        connection = await asyncpg.connect(
            host=parts["host"], user=parts["user"], database=parts["dbname"], port=5432
        )
        try:
            await work(Queries.from_asyncpg_connection(connection))
        finally:
            await connection.close()


def queues() -> dict[str, Any]:
    """Every engine in a fresh database of the same Postgres, one after the other."""
    found: dict[str, Any] = {"concurrency": CONCURRENCY}
    with tempfile.TemporaryDirectory(prefix="tipoff-bench-") as home:
        Path(home).chmod(0o755)
        postgres = PrivatePostgres(Path(home))
        try:
            with contextlib.closing(open_pool(postgres.start())) as owners:
                migrate(owners)
            with psycopg.connect(postgres.dsn, autocommit=True) as connection:
                connection.execute("create table seen (n int, pid int, at timestamptz default clock_timestamp())")
            for kind in (Tipoff, PgQueuer, Procrastinate):
                engine = kind(postgres, Path(home))
                found[engine.name] = {**_picked_up(engine), **_drained(engine), **_recovered(engine)}
        finally:
            postgres.reset()
    return found


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
