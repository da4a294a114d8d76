"""Postgres killed under load again and again, frozen, and stopped: workers live on and no job is lost."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.chaos.evidence import keep, size
from tests.freezing import frozen, postmaster
from tests.jobs import JOBS, WorkerProcess, eventually, workers
from tipoff.storage.embedded import PrivatePostgres


@pytest.fixture
def own(own: PrivatePostgres) -> PrivatePostgres:
    """A Postgres for this test alone, because it is killed, with a table in which doubles would show."""
    with psycopg.connect(own.dsn, autocommit=True) as connection:
        connection.execute(
            "create table effects (n integer, pid integer, attempt integer, at timestamptz default now())"
        )
        connection.execute("grant select, insert on effects to tipoff_app")
    return own


def _kill(postgres: PrivatePostgres) -> None:
    """As if the machine had lost its power: the server and everything below it."""
    server = postmaster(postgres)
    for process in [server, *server.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    eventually(lambda: not postgres.running(), "Postgres to be gone")


def _add(postgres: PrivatePostgres, begin: int, count: int) -> int:
    """Enqueue effects; how many were acknowledged."""
    with psycopg.connect(postgres.application_dsn) as connection:
        JOBS.enqueue_many(connection, "effect", [{"n": begin + i, "seconds": 0.1} for i in range(count)])
    return begin + count


def _cpu(made: list[WorkerProcess]) -> float:
    return sum(sum(psutil.Process(one.pid).cpu_times()[:2]) for one in made)


def test_workers_outlive_the_database(own: PrivatePostgres, tmp_path: Path) -> None:
    """Workers that exit with the database, jobs that are lost with it, loops that burn a processor waiting."""
    kills, stopped = size(2, 10), size(7, 60)
    apart = {"TIPOFF_HEALTH_EVERY": "3600"}  # what the health check asks is measured by itself
    with workers(own.application_dsn, tmp_path, 3, "--no-schedules", "--concurrency", "2", **apart) as made:
        acknowledged = 0
        for _ in range(kills):
            acknowledged = _add(own, acknowledged, 30)
            time.sleep(0.7)
            _kill(own)
            time.sleep(0.5)
            own.start()
        acknowledged = _add(own, acknowledged, 30)
        time.sleep(0.5)
        own.stop()
        before, begun = _cpu(made), time.monotonic()
        time.sleep(stopped)
        burnt = (_cpu(made) - before) / (time.monotonic() - begun) / len(made)
        own.start()
        begun = time.monotonic()

        def all_done() -> bool:
            with psycopg.connect(own.application_dsn) as connection:
                row = connection.execute("select count(*) from job_queue where status = 'completed'").fetchone()
            return row == (acknowledged,)

        eventually(all_done, "every acknowledged job to be done", 60)
        took = time.monotonic() - begun
        assert [one.process.poll() for one in made] == [None, None, None]
        with psycopg.connect(own.application_dsn) as connection:
            row = connection.execute("select count(*), count(distinct n) from effects").fetchone()
            count, different = row or (0, 0)
        idle = _queries_a_second(own, len(made))
    measured = {
        "kills": kills, "seconds_stopped": stopped, "acknowledged": acknowledged, "lost": acknowledged - different,
        "doubled": count - different, "processor_share_of_a_worker_while_away": round(burnt, 4),
        "seconds_until_all_done": round(took, 1), "idle_queries_a_second_of_a_worker": round(idle, 2),
    }  # fmt: skip
    print(measured)
    assert (measured["lost"], measured["doubled"]) == (0, 0)
    assert burnt < 0.1
    assert idle <= 2.0
    keep("outages", measured)


def _queries_a_second(postgres: PrivatePostgres, count: int) -> float:
    """Statements of idle workers, as the server logged them."""
    log = postgres.data.parent / "server.log"
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("alter system set log_statement = 'all'")
        connection.execute("select pg_reload_conf()")
        time.sleep(2.0)
        before, begun = log.read_text(errors="replace"), time.monotonic()
        time.sleep(size(5, 8))
        new, took = log.read_text(errors="replace")[len(before) :], time.monotonic() - begun
        connection.execute("alter system reset log_statement")
        connection.execute("select pg_reload_conf()")
    seen = len(re.findall(r"LOG:  (?:execute|statement)", new))
    assert seen > 0
    return seen / took / count


def test_a_frozen_database_is_waited_for(own: PrivatePostgres, tmp_path: Path) -> None:
    """A worker that hangs for ever on a server that has stopped answering, or cannot be stopped meanwhile."""
    with workers(own.application_dsn, tmp_path, 2, "--no-schedules", "--concurrency", "2", "--grace", "0") as made:
        acknowledged = _add(own, 0, 20)
        with frozen(own):
            time.sleep(7)
            made[0].process.send_signal(signal.SIGTERM)
            assert made[0].process.wait(40) == 0

        def done() -> bool:
            with psycopg.connect(own.application_dsn) as connection:
                row = connection.execute("select count(*), count(distinct n) from effects").fetchone()
            return row == (acknowledged, acknowledged)

        eventually(done, "every job to be done once", 60)
        assert made[1].process.poll() is None
