"""SIGKILL at random moments, to workers, guards, runners, or all at once: nothing lost, stuck or doubled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
import uuid
from pathlib import Path

import psycopg

from tests.chaos.evidence import keep, quantile, size
from tests.jobs import JOBS, WorkerProcess
from tipoff.storage.pool import Pool

PER_WORKER = "3"


def test_killed_again_and_again(
    pool: Pool, owner: psycopg.Connection[tuple[object, ...]], application_dsn: str, tmp_path: Path
) -> None:
    """A job lost, stuck, or done twice when its worker or its process dies at a bad moment."""
    jobs, kills, rng = size(150, 2000), size(14, 200), random.Random(20261124)
    owner.execute("create table effects (n integer, pid integer, attempt integer, at timestamptz default now())")
    owner.execute("grant select, insert on effects to tipoff_app")
    with pool.connection() as connection:
        params = [{"n": n, "seconds": round(rng.uniform(0.1, 1.0), 3)} for n in range(jobs)]
        JOBS.enqueue_many(connection, "effect", params)
    arguments = ("--no-schedules", "--concurrency", PER_WORKER)
    made = [WorkerProcess(application_dsn, tmp_path, *arguments) for _ in range(4)]
    every = list(made)
    begun = time.monotonic()
    watched: dict[uuid.UUID, tuple[int, float]] = {}
    recovered: list[float] = []
    killed = {"worker": 0, "child": 0, "both": 0}
    try:
        for one in made:
            one.ready()
        while sum(killed.values()) < kills or watched:
            _look(pool, watched, recovered)
            if sum(killed.values()) < kills and _left(pool):
                place = rng.randrange(len(made))
                kind = rng.choice(list(killed))
                if _kill(pool, made[place], kind, rng, watched):
                    killed[kind] += 1
                if made[place].process.poll() is not None:
                    made[place] = WorkerProcess(application_dsn, tmp_path, *arguments)
                    every.append(made[place])
            elif not _left(pool):
                break
            time.sleep(rng.uniform(0.02, 0.25))
        end = time.monotonic() + 120
        while _left(pool) and time.monotonic() < end:
            _look(pool, watched, recovered)
            time.sleep(0.1)
    finally:
        for one in every:
            one.stop()
    with pool.connection() as connection:
        states = dict(connection.execute("select status, count(*) from job_queue group by status").fetchall())
        count, different = connection.execute("select count(*), count(distinct n) from effects").fetchone() or (0, 0)
        attempts = connection.execute("select max(attempt), max(token) from job_queue").fetchone() or (0, 0)
    measured = {
        "jobs": jobs, "kills": killed, "states": states, "effects": count, "lost": jobs - different,
        "doubled": count - different, "recovered": len(recovered), "most_attempts": attempts[0],
        "recovery_p50": quantile(recovered, 0.5), "recovery_p95": quantile(recovered, 0.95),
        "recovery_max": max(recovered), "seconds": round(time.monotonic() - begun, 1),
    }  # fmt: skip
    print(measured)
    assert states == {"completed": jobs}
    assert (measured["lost"], measured["doubled"]) == (0, 0)
    assert sum(killed.values()) == kills
    assert measured["recovery_p95"] <= 10.0
    keep("kills", measured)


def _left(pool: Pool) -> bool:
    with pool.connection() as connection:
        row = connection.execute("select exists (select 1 from job_queue where finished_at is null)").fetchone()
    return bool(row and row[0])


def _kill(
    pool: Pool, worker: WorkerProcess, kind: str, rng: random.Random, watched: dict[uuid.UUID, tuple[int, float]]
) -> bool:
    """Kill something that works; whether there was anything."""
    family = worker.family()
    with pool.connection() as connection:
        held = connection.execute(
            "select id, token from job_queue where status = 'running' and split_part(worker, ':', 2) = %s",
            (str(worker.pid),),
        ).fetchall()
    if not held or not family:
        return False
    targets = {"worker": [worker.pid], "child": [rng.choice(family)], "both": [rng.choice(family), worker.pid]}[kind]
    for pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if kind != "child":
        worker.process.wait()
        now = time.monotonic()
        watched.update({job_id: (token, now) for job_id, token in held})
    return True


def _look(pool: Pool, watched: dict[uuid.UUID, tuple[int, float]], recovered: list[float]) -> None:
    """Note which jobs of killed workers run elsewhere by now, or were complete after all."""
    if not watched:
        return
    with pool.connection() as connection:
        rows = connection.execute(
            "select id, token, status from job_queue where id = any(%s)", (list(watched),)
        ).fetchall()
    now = time.monotonic()
    for job_id, token, status in rows:
        old, since = watched[job_id]
        if token > old:
            recovered.append(now - since)
        if token > old or status == "completed":
            del watched[job_id]
