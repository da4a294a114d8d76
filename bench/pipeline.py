"""The full pipeline as one job: statements, peak memory, seconds; on recorded days, and on years of results."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from bench.data import RECORDED
from bench.postgres import Statements, fresh_postgres
from tests.jobs import WorkerProcess, ended, enqueue, workers
from tipoff.domain.job import Job
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.fence import attempt_name
from tipoff.storage.pool import Pool, open_pool
from tipoff.upstream.recorded import RecordedSource

PROGRESS = "update pipeline_jobs set progress ="
"""how often depends on how long it takes; the question whether the job is still ours follows it"""
BRACKETS = ("begin", "commit", "rollback", "")
COPIES = 30


def pipeline() -> dict[str, Any]:
    """With training, into a fresh database: the last 30 recorded days; all of them; and years of copies of them."""
    if not RECORDED.is_dir():
        return {}
    days = len(RecordedSource(RECORDED).days)
    with fresh_postgres() as postgres:
        thirty = _pipeline(postgres, 30)
    with fresh_postgres() as postgres:
        everything = {"days": days, **_pipeline(postgres, days)}
        _copy(postgres, days, COPIES)
        years = {"days": days * (COPIES + 1), **_pipeline(postgres, days)}
    return {"thirty_days": thirty, "everything": everything, "years": years}


def _pipeline(postgres: PrivatePostgres, days: int) -> dict[str, Any]:
    """One job by a new worker."""
    arguments = ("--no-schedules", "--concurrency", "1")
    with (
        tempfile.TemporaryDirectory(prefix="tipoff-bench-") as home,
        contextlib.closing(open_pool(postgres.application_dsn)) as pool,
        workers(
            postgres.application_dsn, Path(home), 1, *arguments, TIPOFF_SOURCE=f"recorded:{RECORDED}"
        ) as [worker],
    ):  # fmt: skip
        statements = Statements(postgres)
        statements.begin()
        job = _done(pool, days)
        asked = [what for name, what in statements.taken() if name == attempt_name(job.id, 1)]
        assert asked
        return {
            "results": job.result["predict"]["results"],
            "queries": len(_queries(asked)),
            "begin_and_commit": sum(what in BRACKETS for what in asked),
            "peak_mb": _peak(worker, job),
            "seconds": round((job.finished_at - job.started_at).total_seconds(), 1),  # type: ignore[operator]
        }


def _queries(asked: list[str]) -> list[str]:
    """Without begin and commit, and without progress and the question that belongs to it."""
    asked = [what for what in asked if what not in BRACKETS]
    return [
        what for before, what in zip(["", *asked], asked, strict=False)
        if not what.startswith(PROGRESS) and not before.startswith(PROGRESS)
    ]  # fmt: skip


def _done(pool: Pool, days: int) -> Job:
    job = ended(pool, enqueue(pool, "data_pipeline", history_days=days, train_model=True), 290)
    assert job.status == "completed", job.error
    return job


def _peak(worker: WorkerProcess, job: Job) -> int:
    said = re.search(rf"{job.id} attempt 1: completed, (\d+) MB", worker.output)
    assert said is not None
    return int(said[1])


def _copy(postgres: PrivatePostgres, days: int, times: int) -> None:
    """The same results again and again, each time that many days earlier: what years of matches look like."""
    columns = "player_a, player_b, team_a, team_b, stream, status, score_a, score_b"
    earlier = "external_id || '-' || k, start_at - k * make_interval(days => %(days)s)"
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        values = {"days": days, "times": times}
        connection.execute(
            f"insert into matches (external_id, start_at, {columns}, first_observed_at, last_observed_at) "
            f"select {earlier}, {columns}, first_observed_at, last_observed_at "
            "from matches, generate_series(1, %(times)s) as k".encode(),
            values,
        )
        connection.execute(
            f"insert into match_arrivals (observed_at, payload_id, external_id, start_at, {columns}) "
            f"select observed_at, payload_id, {earlier}, {columns} "
            "from match_arrivals, generate_series(1, %(times)s) as k order by k, arrival_id".encode(),
            values,
        )
        connection.execute("analyze")
