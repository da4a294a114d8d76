"""Schedules that cannot fire, or not now."""

from __future__ import annotations

from pathlib import Path

from tests.jobs import (
    JOBS,
    ended,
    enqueue,
    eventually,
    workers,
)
from tipoff.jobs import schedule
from tipoff.storage.pool import Pool


def test_schedules_that_cannot_fire_harm_nobody(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """One row of nonsense that ends every worker there is, again and again."""
    with pool.connection() as connection:
        schedule.edit(connection, JOBS, "good", job_type="nothing", cron="* * * * * *")
        schedule.edit(connection, JOBS, "twice", job_type="nothing", cron="0 0 * * *")
        connection.execute(
            "insert into job_schedules (name, type, cron, params, next_at) values "
            "('no cron', 'nothing', '61 * * * *', '{}', now()), "
            "('no params', 'sleep', '* * * * *', '{\"x\": 1}', now()), "
            "('not here', 'magic', '* * * * *', '{}', now())"
        )
        connection.execute(
            "insert into schedule_ticks (schedule, tick, outcome, worker) values "
            "('twice', date_trunc('day', now(), 'UTC'), 'enqueued', 'w')"
        )
        connection.execute("update job_schedules set next_at = date_trunc('day', now(), 'UTC') where name = 'twice'")
    with workers(application_dsn, tmp_path, 1, "--concurrency", "1") as [one]:
        eventually(lambda: _scheduled(pool)["good"][1] == "enqueued", "the good one to fire", 10)
        eventually(lambda: _scheduled(pool)["twice"][1] == "fired before", "the tick to be known")
        eventually(lambda: not _scheduled(pool)["no cron"][0], "the bad one to be switched off")
        eventually(lambda: not _scheduled(pool)["no params"][0], "the other one to be switched off")
        assert one.process.poll() is None
        found = _scheduled(pool)
    assert "is no cron expression" in found["no cron"][1]
    assert "extra inputs are not permitted" in found["no params"][1]
    assert found["not here"] == (True, "")


def _scheduled(pool: Pool) -> dict[str, tuple[bool, str]]:
    with pool.connection() as connection:
        rows = connection.execute("select name, enabled, last_outcome from job_schedules").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def test_a_schedule_waits_for_nobody(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """Somebody's open transaction that makes workers take the database for lost."""
    with pool.connection() as connection:
        schedule.edit(connection, JOBS, "single", job_type="only_one", cron="* * * * * *", params={"seconds": 0.1})
    with pool.connection() as open_one:
        JOBS.enqueue(open_one, "only_one", {"seconds": 0.1})
        with workers(application_dsn, tmp_path, 1, "--concurrency", "1") as [one]:
            assert {ended(pool, enqueue(pool, "nothing"), 10).status for _ in range(5)} == {"completed"}
            open_one.rollback()
            eventually(lambda: _scheduled(pool)["single"][1] == "enqueued", "it to fire", 10)
            assert "the database is away" not in one.output


def test_before_there_is_a_model_the_schedule_fails_no_job(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A new installation that reports a failed job every minute until its first model is trained."""
    [params] = [values for _, name, values, _ in schedule.DEFAULTS if name == "prediction_generation"]
    with workers(application_dsn, tmp_path, 1, "--no-schedules"):
        done = ended(pool, enqueue(pool, "prediction_generation", **params))
        assert (done.status, done.message) == ("completed", "nothing is forecast: no model has passed the gate yet")
        asked = ended(pool, enqueue(pool, "prediction_generation"))
        assert asked.status == "failed"
        assert asked.error is not None
        assert "no model has been trained yet" in asked.error["message"]
