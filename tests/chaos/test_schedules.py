"""One schedule, many workers, some of them killed: every tick once, or accounted for."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from pathlib import Path

from tests.chaos.evidence import keep, size
from tests.jobs import JOBS, WorkerProcess, eventually
from tipoff.jobs import schedule
from tipoff.storage.pool import Pool


def test_each_tick_once_or_accounted_for(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A tick that two workers fire, or that nobody does and nobody says so."""
    ticks, count = size(12, 200), size(3, 5)
    with pool.connection() as connection:
        schedule.edit(connection, JOBS, "every second", job_type="nothing", cron="* * * * * *")
        schedule.edit(connection, JOBS, "slow", job_type="sleep", cron="* * * * * *", params={"seconds": 3})
    made = [WorkerProcess(application_dsn, tmp_path, "--concurrency", "2") for _ in range(count)]
    killed = 0
    try:
        for one in made:
            one.ready()
        begun = time.monotonic()
        while _ticks(pool)[0] < ticks:
            assert time.monotonic() - begun < 3 * ticks + 60
            if killed < 2 and _ticks(pool)[0] > (killed + 1) * ticks // 3:
                made[killed].process.kill()
                made[killed].process.wait()
                killed += 1
            time.sleep(0.2)
        with pool.connection() as connection:
            for name in ("every second", "slow"):
                schedule.edit(connection, JOBS, name, enabled=False)
        eventually(lambda: not _live(pool), "jobs to end", 40)
    finally:
        for one in made:
            one.stop()
    with pool.connection() as connection:
        rows = connection.execute(
            "select tick, outcome, missed, job_id, reason from schedule_ticks where schedule = 'every second' "
            "order by tick"
        ).fetchall()
        jobs = connection.execute(
            "select count(*), count(*) filter (where status = 'completed') from job_queue where type = 'nothing'"
        ).fetchone()
        slow = connection.execute(
            "select created_at, finished_at from job_queue where type = 'sleep' order by created_at"
        ).fetchall()
        held_back = connection.execute(
            "select count(*) filter (where reason like '%is still live'), count(*) from schedule_ticks "
            "where schedule = 'slow' and outcome = 'skipped'"
        ).fetchone()
    second = dt.timedelta(seconds=1)
    for before, after in itertools.pairwise(rows):
        assert after[0] - before[0] == (after[2] + 1) * second
    enqueued = [row for row in rows if row[1] == "enqueued"]
    assert len({row[3] for row in enqueued}) == len(enqueued)
    assert all(row[4].endswith("is still live") for row in rows if row[1] == "skipped")
    assert jobs == (len(enqueued), len(enqueued))
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(slow)), slow
    assert held_back is not None
    assert held_back[0] == held_back[1] > len(slow) > 1
    assert killed == 2
    keep("schedules", {
        "workers": count, "killed": killed, "ticks": len(rows) + sum(row[2] for row in rows),
        "enqueued": len(enqueued), "skipped": len(rows) - len(enqueued), "missed": sum(row[2] for row in rows),
    })  # fmt: skip


def _ticks(pool: Pool) -> tuple[int]:
    with pool.connection() as connection:
        row = connection.execute(
            "select coalesce(sum(missed + 1), 0)::int from schedule_ticks where schedule = 'every second'"
        ).fetchone()
    return (row[0] if row else 0,)


def _live(pool: Pool) -> bool:
    with pool.connection() as connection:
        row = connection.execute(
            "select exists (select 1 from job_queue where finished_at is null and type in ('nothing', 'sleep'))"
        ).fetchone()
    return bool(row and row[0])


def test_ticks_missed_in_an_outage_fire_once(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A thousand refreshes after a night without a worker."""
    with pool.connection() as connection:
        schedule.edit(connection, JOBS, "minutely", job_type="nothing", cron="* * * * *")
        connection.execute("update job_schedules set next_at = next_at - interval '1000 minutes'")
    worker = WorkerProcess(application_dsn, tmp_path)
    try:
        worker.ready()
        eventually(lambda: _tick(pool), "the schedule to fire")
        time.sleep(2.5)
        found = _tick(pool)
    finally:
        worker.stop()
    assert len(found) <= 2
    assert found[0][0] == "enqueued"
    assert found[0][1] in (999, 1000)


def _tick(pool: Pool) -> list[tuple[str, int]]:
    with pool.connection() as connection:
        return [
            (row[0], row[1])
            for row in connection.execute(
                "select outcome, missed from schedule_ticks where schedule = 'minutely' order by tick"
            ).fetchall()
        ]
