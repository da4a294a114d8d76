"""A worker of one of the compared queues as a process: python -m bench.queue_worker ENGINE DSN CONCURRENCY.

The body is the same everywhere: `nothing` does nothing, `seen` notes when it began, `slow` notes that and then
takes a minute on its first attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import os
import sys
import time
from typing import Any

import psycopg

LEASE = 8.0
"""seconds without a sign of life after which a worker counts as lost, the same for all"""
BEAT = 2.0


@functools.cache
def _connection(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None)


def body(dsn: str, kind: str, n: int) -> None:
    """What every job does."""
    if kind == "nothing":
        return
    connection = _connection(dsn)
    connection.execute("insert into seen (n, pid) values (%s, %s)", (n, os.getpid()))
    if kind == "slow":
        row = connection.execute("select count(*) from seen where n = %s", (n,)).fetchone()
        if row == (1,):
            time.sleep(60)


def procrastinate_app(dsn: str) -> Any:
    """The app with its task; jobs of lost workers are tried again, as its documentation says to."""
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

    @app.task(name="body", retry=5)
    def work(kind: str, n: int) -> None:
        body(dsn, kind, n)

    return app


async def _procrastinate(dsn: str, concurrency: int) -> None:
    app = procrastinate_app(dsn)

    async def rescue() -> None:
        while True:
            await asyncio.sleep(1.0)
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=LEASE):
                await app.job_manager.retry_job(job)

    async with app.open_async():
        rescuer = asyncio.create_task(rescue())
        print("ready", flush=True)
        try:
            await app.run_worker_async(
                concurrency=concurrency, update_heartbeat_interval=BEAT, stalled_worker_timeout=600.0
            )
        finally:
            rescuer.cancel()


async def _pgqueuer(dsn: str, concurrency: int) -> None:
    import asyncpg
    from pgqueuer import PgQueuer
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(dsn)
    connection = await asyncpg.connect(host=parts["host"], user=parts["user"], database=parts["dbname"], port=5432)
    queue = PgQueuer.from_asyncpg_connection(connection)

    @queue.entrypoint("body")
    async def work(job: Any) -> None:
        kind, _, n = job.payload.decode().partition(" ")
        if kind == "nothing":
            return
        await asyncio.to_thread(body, dsn, kind, int(n))

    print("ready", flush=True)
    await queue.run(
        batch_size=concurrency, max_concurrent_tasks=2 * concurrency, dequeue_timeout=dt.timedelta(seconds=1),
        heartbeat_timeout=dt.timedelta(seconds=LEASE),
    )  # fmt: skip


def main(engine: str, dsn: str, concurrency: str) -> None:
    """Work until killed."""
    run = {"procrastinate": _procrastinate, "pgqueuer": _pgqueuer}[engine]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(dsn, int(concurrency)))


if __name__ == "__main__":
    main(*sys.argv[1:])
