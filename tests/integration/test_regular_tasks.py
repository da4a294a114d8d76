"""The specification's daily, weekly, monthly and quarterly tasks, as workers do them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.test_live import activate
from tests.jobs import WorkerProcess, ended, enqueue, eventually, workers
from tests.web import rows
from tipoff.jobs import schedule
from tipoff.storage import schedules
from tipoff.storage.pool import Pool

Owner = psycopg.Connection[Any]


def done(pool: Pool, name: str, **params: object) -> Any:
    """What such a job says, and what it found."""
    made = ended(pool, enqueue(pool, name, **params))
    assert made.status == "completed", made.error
    return made


def test_each_regular_task_of_the_specification_is_a_schedule(pool: Pool) -> None:
    """A task that somebody has to remember; an installation of yesterday that never hears of a new one."""
    with pool.connection() as connection:
        schedule.install(connection)
        schedules.remove(connection, "daily review")
        connection.execute("update job_schedules set cron = '1 1 1 1 *' where name = 'quarterly care'")
        schedule.install(connection)
        found = {s.name: s for s in schedules.listed(connection)}
        now = schedules.now(connection)
    assert {name: found[name].type for name in ("daily review", "weekly cleanup", "monthly review")} == {
        "daily review": "health_review", "weekly cleanup": "cleanup", "monthly review": "model_review",
    }  # fmt: skip
    assert found["quarterly care"].cron == "1 1 1 1 *", "what an operator edited"
    for name, days in (("daily review", 1), ("weekly cleanup", 7), ("monthly review", 31)):
        assert found[name].next_at - now <= dt.timedelta(days=days), name


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-10-01T02:00:00", "2027-01-01T02:00:00"),
        ("2027-01-31T00:00:00", "2027-04-01T02:00:00"),
        ("2028-02-29T23:59:59", "2028-04-01T02:00:00"),
        ("2028-07-01T01:59:59", "2028-07-01T02:00:00"),
    ],
)
def test_quarters_begin_when_they_begin(after: str, expected: str) -> None:
    """Quarters of ninety days."""
    [cron] = [cron for name, _, _, cron in schedule.DEFAULTS if name == "quarterly care"]
    moment = dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC)
    assert schedule.next_tick(cron, moment) == dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)


def test_quarters_that_were_missed_are_made_up_for_once(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A machine that was off over two quarters, and then looks after its database twice or not at all."""
    with pool.connection() as connection:
        schedule.install(connection)
        schedule.skip_missed(connection)
        now = schedules.now(connection)
        schedules.move(connection, "quarterly care", now.replace(year=now.year - 1, month=1, day=1, hour=2, minute=0))
        connection.execute("update job_schedules set enabled = name = 'quarterly care'")
    with workers(application_dsn, tmp_path, 1):
        fired = "select t.missed, t.outcome, j.id from schedule_ticks t join job_queue j on j.id = t.job_id"
        [(missed, outcome, job_id)] = eventually(lambda: rows(pool, fired), "the tick")
        assert (missed >= 3, outcome) == (True, "enqueued")
        assert ended(pool, job_id).status == "completed"
    with pool.connection() as connection:
        [one] = [s for s in schedules.listed(connection) if s.name == "quarterly care"]
    assert (one.next_at.month in (1, 4, 7, 10), one.next_at.day, one.next_at > now) == (True, 1, True)


@pytest.fixture
def unwatched(pool: Pool, application_dsn: str, tmp_path: Path) -> Iterator[Pool]:
    """A worker that has made its first report, and makes no other."""
    with workers(application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_HEALTH_EVERY="3600"):
        eventually(lambda: rows(pool, "delete from system_health returning id"), "the first report")
        yield pool


def test_the_day_is_reviewed(unwatched: Pool) -> None:
    """A red hour in the night that nobody hears of; yesterday's trouble told again."""
    pool = unwatched
    assert "nobody looked" in done(pool, "health_review").message
    with pool.connection() as connection:
        for hours, queue in ((30, "error"), (3, "healthy"), (2, "warning"), (1, "error"), (0, "healthy")):
            connection.execute(
                "insert into system_health (checked_at, overall_status, duration_ms, checker, statuses, report) "
                "values (now() - make_interval(hours => %s), %s, 1, 'test', "
                "jsonb_build_object('job_queue', %s::text, 'models', 'healthy'), '{}')",
                (hours, queue, queue),
            )
        for rule, state, ago in (("old", "resolved", 30), ("over", "resolved", 2), ("live", "open", 2)):
            connection.execute(
                "insert into alerts (rule, severity, state, message, remedy, since, opened_at, seen_at, resolved_at) "
                "values (%(rule)s, 'error', %(state)s, 'm', 'r', now(), now() - make_interval(hours => %(ago)s), "
                "now(), case when %(state)s = 'resolved' then now() - make_interval(hours => %(ago)s) end)",
                {"rule": rule, "state": state, "ago": ago},
            )
    ended(pool, enqueue(pool, "wrong"))
    made = done(pool, "health_review")
    assert made.message == "not healthy: job_queue (error, 2 of 4 looks); 1 alerts live, 1 resolved; 1 jobs failed"
    found = made.result
    assert (found["worst"], found["not_healthy"]) == ({"job_queue": "error"}, {"job_queue": 2})
    assert found["failed"] == {"wrong": 1}
    assert found["now"] == {"job_queue": "healthy", "models": "healthy"}
    assert {alert["rule"] for alert in found["alerts"]} == {"live", "over"}
    with pool.connection() as connection:
        kept = connection.execute("select value from health_findings where name = 'daily_review'").fetchall()
    assert kept == [(found,)]


def test_the_week_is_counted_before_it_is_cleaned_up(pool: Pool, worker: WorkerProcess) -> None:
    """Statistics of jobs that are gone."""
    for _ in range(3):
        done(pool, "nothing")
    failed = ended(pool, enqueue(pool, "wrong"))
    with pool.connection() as connection:
        connection.execute("update job_queue set finished_at = finished_at - interval '40 days', started_at = "
                           "started_at - interval '40 days' where id = %s", (failed.id,))  # fmt: skip
        connection.execute("update job_queue set finished_at = started_at + interval '5 s' where type = 'nothing'")
    made = done(pool, "cleanup")
    [week] = made.result["week"]
    assert (week["type"], week["ended"], week["failed"], week["seconds_p50"]) == ("nothing", 3, 0, 5.0)
    assert made.message.startswith("3 jobs ended in 7 days, 0 failed; 1 jobs, ")


def test_the_month_is_held_against_the_promise(pool: Pool, worker: WorkerProcess) -> None:
    """A figure of all time that hides a bad month; a month without a word on what was promised."""
    activate(pool)
    with pool.connection() as connection:
        connection.execute(
            "update model_registry set document = jsonb_set(document, '{measured}', "
            '\'{"models": [{"measures": {"log_loss": {"mean": 0.61}}}]}\')'
        )
        for days, matches, loss in ((2, 100, 0.70), (20, 300, 0.62), (45, 1000, 0.10)):
            connection.execute(
                "insert into model_performance select sha256, current_date - %s, %s, %s, 0.2, 0.6, 8, 9, 0.8, 0.8, "
                "now() from model_registry",
                (days, matches, loss),
            )
    made = done(pool, "model_review")
    assert made.message.startswith("log loss 0.6400 of 400 matches in 30 days (0.6100 promised); ")
    assert made.result["month"]["matches"] == 400
    assert made.result["training"] is None


@pytest.fixture
def neglected(owner: Owner) -> Iterator[Owner]:
    """A database with something of everything that care looks for."""
    owner.execute("create index unused on players (first_seen_at)")
    owner.execute("create index twice on matches (start_at, external_id)")
    owner.execute("alter table players set (autovacuum_enabled = false)")
    owner.execute("insert into players select repeat('x', 200) || n, now(), now() from generate_series(1, 20000) n")
    owner.execute("delete from players where right(name, 1) <> '7' or length(name) < 205")
    owner.execute("analyze players")
    owner.execute("select setval('model_registry_version_seq', 2000000000)")
    owner.execute("select pg_stat_force_next_flush()")
    return owner


def state(owner: Owner) -> Any:
    """Which indexes there are, where each lies, and when tables were vacuumed."""
    return owner.execute(
        "select (select array_agg(relname || relfilenode order by relname) from pg_class where relkind = 'i' "
        "and relnamespace = 'public'::regnamespace), (select array_agg(relname || coalesce(last_vacuum::text, '') "
        "order by relname) from pg_stat_user_tables)"
    ).fetchall()


def names(owner: Owner) -> list[str]:
    """Indexes there are."""
    return [
        row[0] for row in owner.execute("select indexname from pg_indexes where schemaname = 'public' order by 1")
    ]


def test_care_reports_and_touches_nothing(neglected: Owner, pool: Pool, worker: WorkerProcess) -> None:
    """A report that misses what is wrong, or that mends what nobody asked it to."""
    before = state(neglected)
    made = done(pool, "database_care")
    found = made.result
    assert state(neglected) == before
    assert "unused" in {row["index"] for row in found["unused_indexes"]}
    assert "players_pkey" not in {row["index"] for row in found["unused_indexes"]}
    assert ["matches_by_start", "twice"] in [row["indexes"] for row in found["duplicate_indexes"]]
    assert found["bloated_tables"][0]["table"] == "players"
    assert {"players_pkey", "unused"} & {row["index"] for row in found["bloated_indexes"]}
    assert [row["table"] for row in found["late_vacuums"]] == ["players"]
    assert [row["sequence"] for row in found["full_sequences"]] == ["model_registry_version_seq"]
    assert found["tables"][0]["table"] == "players"
    assert (found["last_report"], found["growth"], found["acted"]) == (None, {}, [])
    assert "nothing was changed (act=true" in made.message
    neglected.execute(
        "insert into matches select 'M' || n, now(), p.a, p.b, 'T', 'U', 's', 'final', 1, 2, now(), now() "
        "from generate_series(1, 5000) n, (select min(name) as a, max(name) as b from players) p"
    )
    again = done(pool, "database_care")
    assert again.result["last_report"] is not None
    assert again.result["growth"]["matches"] > 500_000
    assert again.result["growth"]["alerts"] == 0
    assert "MB since the last report" in again.message


def test_care_acts_when_told_and_drops_nothing(neglected: Owner, pool: Pool, worker: WorkerProcess) -> None:
    """An index that somebody needed, gone; a table that others lock and that holds everything up."""
    before, everything = done(pool, "database_care").result, names(neglected)
    with psycopg.connect(neglected.info.dsn) as busy:
        busy.execute("lock table webhooks in share update exclusive mode")
        made = done(pool, "database_care", act=True)
    after = done(pool, "database_care").result
    assert names(neglected) == everything
    assert "vacuum and analyze players" in made.result["acted"]
    assert [said.split(":")[0] for said in made.result["not_done"]] == ["vacuum and analyze webhooks"]
    assert {f"reindex {row['index']}" for row in before["bloated_indexes"]} <= set(made.result["acted"])
    assert after["bloated_indexes"] == []
    assert after["late_vacuums"] == []
    assert after["bytes"] < before["bytes"] / 2
    assert made.message.endswith("acts done, 1 not")
