"""Who looks, what is known of it everywhere, what can be written, and looks that go wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.health import SECOND, champion, settings, watching
from tests.jobs import ended, enqueue, eventually, workers
from tipoff.health import inspector
from tipoff.health.monitor import Monitor
from tipoff.health.settings import HealthSettings
from tipoff.pipeline.monitoring import monitor_of
from tipoff.storage import reports
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool

Owner = psycopg.Connection[tuple[object, ...]]


def test_one_process_of_many_looks(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """Ten processes that each write a report every half minute, and one that knows nothing of it."""
    with watching(pool, application_dsn, tmp_path, every=0.5) as one, watching(
        pool, application_dsn, tmp_path, every=0.5
    ) as two, watching(pool, application_dsn, tmp_path, every=0.5) as three:  # fmt: skip
        begun = time.monotonic()
        eventually(lambda: _reports(pool) >= 8, "eight reports")
        seconds = time.monotonic() - begun
        assert _reports(pool) <= seconds / 0.45 + 2
        monitors = [m.monitor for m in (one, two, three)]
        eventually(lambda: _spread(monitors) < 2 * SECOND, "all to know of the same time")
        eventually(lambda: len(_kept(pool) & {m.latest().checked_at for m in monitors}) >= 1, "a report that is kept")


def _spread(monitors: list[Monitor]) -> dt.timedelta:
    known = [m.latest().checked_at for m in monitors]
    return max(known) - min(known)


def _kept(pool: Pool) -> set[dt.datetime]:
    with pool.connection() as connection:
        return {row[0] for row in connection.execute("select checked_at from system_health").fetchall()}


def test_processes_that_did_not_get_the_turn_see_again_after_an_outage(
    pool: Pool, server: PrivatePostgres, application_dsn: str, tmp_path: Path
) -> None:
    """A web process that says for ever that the database is away, because a worker always looks first."""
    with watching(pool, application_dsn, tmp_path, every=0.5) as one, watching(
        pool, application_dsn, tmp_path, every=0.5
    ) as two:  # fmt: skip
        for each in (one, two):
            each.until("database", "healthy")
        with pool.connection() as connection:
            [(name,)] = connection.execute("select current_database()").fetchall()
        with psycopg.connect(server.dsn, autocommit=True) as other:
            other.execute(f"alter database {name} with allow_connections false".encode())
            try:
                other.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tipoff health'"
                )
                for each in (one, two):
                    each.until("database", "error", "database_away")
                time.sleep(1.0)  # it lasts for longer than it takes to be believed
            finally:
                other.execute(f"alter database {name} with allow_connections true".encode())
        for each in (one, two):
            each.until("database", "healthy")
        one.only("database_away", "resolved")


def test_a_database_that_takes_no_writes(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """A plan that is full answers every question, and nothing is fetched, forecast, sealed or told any more."""
    with watching(pool, application_dsn, tmp_path) as seen:
        seen.until("database", "healthy")
        [(name,)] = owner.execute("select current_database()").fetchall()
        owner.execute(f"alter database {name} set default_transaction_read_only = on".encode())
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tipoff health'"
        owner.execute(ended)
        seen.until("database", "error", "database_unwritable")
        time.sleep(1.0)  # it lasts for longer than it takes to be believed
        owner.execute(f"alter database {name} reset default_transaction_read_only".encode())
        seen.until("database", "healthy")
        seen.only("database_unwritable", "resolved")


def test_code_that_is_newer_than_the_schema(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """A deploy whose migration did not run, of which the check says that it could not look."""
    owner.execute("drop table health_processes")
    owner.execute(
        "delete from supabase_migrations.schema_migrations where version = "
        "(select max(version) from supabase_migrations.schema_migrations)"
    )
    with watching(pool, application_dsn, tmp_path) as seen:
        seen.until("database", "error", "schema_differs")
        seen.only("schema_differs", "open")


def test_asking_for_a_look_hides_no_failure(
    pool: Pool, application_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job's failure that only a look which nobody wrote down has seen."""
    monkeypatch.setattr(inspector, "OVERLAP", dt.timedelta())
    monitor = monitor_of(settings(application_dsn, tmp_path), HealthSettings(every=0.2, open_after=0))
    try:
        monitor.turn()
        with pool.connection() as connection:
            _ended(connection, "nothing", "failed", "0 seconds")
            _ended(connection, "nothing", "completed", "0 seconds")
        monitor._looked = -1e9
        assert "job_failed" in [f.rule for f in monitor.fresh().findings]
        eventually(lambda: monitor.turn() or _failures(pool), "the alert")  # type: ignore[func-returns-value]
    finally:
        monitor.stop()


def _failures(pool: Pool) -> int:
    with pool.connection() as connection:
        [(number,)] = connection.execute("select count(*) from alerts where rule = 'job_failed'").fetchall()
        return int(number)


def test_a_report_of_hours_ago_is_not_news(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """After a pause a process serves what was so before it, as if it had been looked at just now."""
    first = monitor_of(settings(application_dsn, tmp_path), HealthSettings(every=30.0))
    second = monitor_of(settings(application_dsn, tmp_path), HealthSettings(every=30.0))
    try:
        first.turn()
        with pool.connection() as connection:
            connection.execute("update system_health set checked_at = checked_at - interval '3 hours'")
        second.turn()
        assert "nobody has looked" in json.dumps(second.latest().as_json())
    finally:
        first.stop()
        second.stop()


def test_writes_alone_that_are_refused(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """Reports that nobody can keep, and a green light."""
    with watching(pool, application_dsn, tmp_path) as seen:
        seen.until("database", "healthy")
        owner.execute("revoke insert on system_health from tipoff_app")
        check = seen.until("database", "error", "database_unwritable")
        assert "permission denied" in check.findings[-1].message
        time.sleep(1.0)
        owner.execute("grant insert on system_health to tipoff_app")
        seen.until("database", "healthy")
        seen.only("database_unwritable", "resolved")


def _reports(pool: Pool) -> int:
    with pool.connection() as connection:
        [(number,)] = connection.execute("select count(*) from system_health").fetchall()
        return int(number)


def test_a_report_of_another_version(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A row that this code cannot read, after a deploy or its undoing, ends every look for ever."""
    with pool.connection() as connection:
        connection.execute(
            "insert into system_health (checked_at, overall_status, duration_ms, checker, report) "
            "values (clock_timestamp() + interval '1 second', 'healthy', 1, 'newer', '{\"checks\": {\"new\": {}}}')"
        )
    with watching(pool, application_dsn, tmp_path) as seen:
        eventually(lambda: _reports(pool) >= 3, "reports")
        assert seen.check("database").status == "healthy"


def test_a_check_that_breaks_takes_no_other_with_it(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A row that nobody foresaw ends every look, or the turn of every process."""
    sha256 = champion(pool, tmp_path)
    with watching(pool, application_dsn, tmp_path) as seen:
        seen.until("models", "healthy")
        with pool.connection() as connection:
            broken = [{"measure": "log_loss", "promised": None, "seen": 1.0, "matches": 1, "drifted": True}]
            reports.find(connection, "drift", {"model": sha256, "watched": broken})
        check = seen.until("models", "error", "check_failed")
        assert not check.looked
        assert seen.check("database").status == "healthy"
        seen.only("check_failed", "open")
        with pool.connection() as connection:
            connection.execute("delete from health_findings where name = 'drift'")
        seen.until("models", "healthy")
        seen.only("check_failed", "resolved")


def test_characters_that_postgres_refuses(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """One odd byte in an error keeps every report and every alert from being written."""
    home = tmp_path / os.fsdecode(b"h\xffme\x01")
    home.mkdir()
    (home / "models").write_text("no folder")
    with watching(pool, application_dsn, home) as seen:
        seen.until("artifact_store", "error", "store_away")
        assert "TIPOFF_HOME" in seen.only("store_away", "open").message


def test_a_job_that_failed_between_two_looks(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A failure that nobody hears of because the next job of its type did well; one that is forgotten after a day."""
    with watching(pool, application_dsn, tmp_path, every=1.0, resolve_after=3.0) as seen:
        seen.until("database", "healthy")
        with pool.connection() as connection, connection.transaction():
            _ended(connection, "nothing", "failed", "0 seconds")
            _ended(connection, "nothing", "completed", "-1 seconds")
        assert seen.only("job_failed", "open").subject == "nothing"
        seen.only("job_failed", "resolved", 40)
        with pool.connection() as connection:
            _ended(connection, "wrong", "failed", "3 days")
        seen.until("job_queue", "error", "job_failed")
        time.sleep(4.0)
        assert [a.state for a in seen.alerts("job_failed")] == ["resolved", "open"]


def _ended(connection: Any, name: str, status: str, ago: str) -> None:
    failed = status == "failed"
    connection.execute(
        "insert into job_queue (type, status, rank, attempt, progress, result, error, started_at, finished_at) "
        "values (%s, %s, 0, 1, %s, %s, %s, clock_timestamp() - %s::interval, clock_timestamp() - %s::interval)",
        (name, status, 0 if failed else 100, None if failed else "{}",
         '{"kind": "unexpected", "message": "it broke", "where": "test"}' if failed else None, ago, ago),
    )  # fmt: skip


def test_a_job_that_is_due_behind_many_that_are_not(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """The oldest job cannot be seen because others with more priority wait for their next try."""
    with watching(pool, application_dsn, tmp_path) as seen:
        with pool.connection() as connection:
            connection.execute(
                "insert into job_queue (type, rank, run_after) select 'nothing', -1e9, now() + interval '1 hour' "
                "from generate_series(1, 3000)"
            )
            connection.execute(
                "insert into job_queue (type, rank, run_after) values ('nothing', 1, now() - interval '20 hours')"
            )
        check = seen.until("job_queue", "error", "queue_old")
        assert check.metrics["queue_age_seconds"] > 19 * 3600


def test_no_secret_and_no_address_is_shown(tmp_path: Path) -> None:
    """A password with a percent sign in an error that everybody may read."""
    for dsn, said in (
        ("postgresql://tipoff:hunter%zzSecret@127.0.0.1:1/db", "DATABASE_URL is no address of a Postgres"),
        ("postgresql://tipoff:hunterSecret@127.0.0.1:1/db", "Connection refused"),
    ):
        monitor = monitor_of(settings(dsn, tmp_path), HealthSettings(patience=2.0))
        try:
            text = json.dumps(monitor.fresh().as_json())
        finally:
            monitor.stop()
        assert said in text
        for hidden in ("Secret", "127.0.0.1", str(tmp_path)):
            assert hidden not in text


def test_old_reports_and_alerts_go(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """A history that grows until it is what fills the disk; or one that is cut within its seven days."""
    owner.execute(
        "insert into system_health (checked_at, overall_status, duration_ms, checker, report) select "
        "now() - make_interval(days => n), 'healthy', 1, 'test', '{}' from generate_series(0, 20) as n"
    )
    owner.execute(
        "insert into alerts (rule, severity, state, message, remedy, since, opened_at, seen_at, resolved_at) select "
        "'disk_low', 'error', 'resolved', '', '', now(), now(), now(), now() - make_interval(days => n) "
        "from generate_series(0, 60, 10) as n"
    )
    owner.execute(
        "insert into health_processes (name, host, figures, seen_at) "
        "values ('w', 'h', '{}', now() - interval '2 days')"
    )
    left = DirectoryStore(tmp_path).put("state", b"of no model")
    [path] = tmp_path.rglob(f"{left}*")
    os.utime(path, (0, 0))
    with workers(application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_HEALTH_EVERY="3600"):
        done = ended(pool, enqueue(pool, "cleanup"))
    assert done.status == "completed", done.error
    assert not path.exists()
    with pool.connection() as connection:
        [(reports_left, alerts_left, processes)] = connection.execute(
            "select (select count(*) from system_health where checker = 'test'), "
            "(select count(*) from alerts where rule = 'disk_low'), "
            "(select count(*) from health_processes where name = 'w')"
        ).fetchall()
    assert (reports_left, alerts_left, processes) == (8, 3, 0)
