"""Jobs, models, data and forecasts by breaking the real thing: each check turns and comes back, with one alert."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.drifting import DAY, play, promise
from tests.health import SECOND, champion, fetched, settings, watching
from tests.jobs import JOBS, ROOT, ended, enqueue, eventually, workers
from tests.sealing import MINUTE, body, waiting
from tipoff.health import inspector
from tipoff.health.monitor import Monitor
from tipoff.health.settings import HealthSettings
from tipoff.jobs import schedule
from tipoff.pipeline.monitoring import monitor_of
from tipoff.pipeline.watch import keep_drift, keep_verification
from tipoff.storage import ledger, reports
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool

Owner = psycopg.Connection[tuple[object, ...]]


def test_workers_that_are_gone(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """Nobody works, and everything says that it is well."""
    with workers(application_dsn, tmp_path, 1, "--no-schedules") as [one]:
        eventually(lambda: _workers(pool), "it to say that it lives")
        with watching(pool, application_dsn, tmp_path, worker_seconds=7) as seen:
            check = seen.until("job_queue", "healthy")
            assert check.metrics["workers"] == 1
            one.process.kill()
            one.process.wait()
            killed = dt.datetime.now(dt.UTC)
            check = seen.until("job_queue", "error", "no_workers")
            assert check.since is not None
            assert dt.timedelta() < check.since - killed < 9 * SECOND
            assert abs(seen.only("no_workers", "open").since - check.since) < SECOND
            with workers(application_dsn, tmp_path, 1, "--no-schedules") as [another]:
                seen.until("job_queue", "healthy")
                seen.only("no_workers", "resolved")
                another.stop()
                with pool.connection() as connection:
                    assert not connection.execute(
                        "select from job_workers where pid = %s", (another.pid,)
                    ).fetchall()  # who stops on purpose takes its row away


def _workers(pool: Pool) -> int:
    with pool.connection() as connection:
        [(number,)] = connection.execute(
            "select count(*) from job_workers where seen_at > clock_timestamp() - interval '7 seconds'"
        ).fetchall()
        return int(number)


def test_jobs_that_fail_wait_and_are_stuck(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """A failed job that nobody hears of; a queue that nobody empties; a job that runs for ever on paper."""
    limits = {"failed_hour_error": 3, "failed_hour_warning": 2, "queue_minutes_warning": 5, "stuck_seconds": 3}
    with watching(pool, application_dsn, tmp_path, **limits) as seen:
        with workers(application_dsn, tmp_path, 1, "--no-schedules"):
            seen.until("job_queue", "healthy")
            failed = enqueue(pool, "wrong")
            ended(pool, failed)
            seen.until("job_queue", "warning", "job_failed")
            alert = seen.only("job_failed", "open")
            assert alert.subject == "wrong"
            for number in (2, 3):
                ended(pool, enqueue(pool, "wrong"))
                seen.until("job_queue", "warning" if number < 3 else "error", "jobs_failing")
            with pool.connection() as connection:
                connection.execute("delete from job_queue")
            seen.until("job_queue", "healthy")
            seen.only("job_failed", "resolved")
        with workers(application_dsn, tmp_path, 1, "--no-schedules", "--types", "nothing"):
            seen.until("job_queue", "healthy")
            enqueue(pool, "sleep", seconds=1)
            owner.execute("update job_queue set run_after = run_after - interval '6 minutes'")
            seen.until("job_queue", "warning", "queue_old")
            owner.execute(
                "update job_queue set run_after = run_after - interval '60 minutes' where status = 'pending'"
            )
            seen.until("job_queue", "error", "queue_old")
            seen.only("queue_old", "open")
            owner.execute("delete from job_queue")
            seen.until("job_queue", "healthy")
            seen.only("queue_old", "resolved")
        with WorkerLess(owner):
            seen.until("job_queue", "error", "jobs_stuck")
            seen.only("jobs_stuck", "open")
        eventually(lambda: "jobs_stuck" not in [f.rule for f in seen.check("job_queue").findings], "it to be over")
        seen.only("jobs_stuck", "resolved")


class WorkerLess:
    """While the block runs there is a job whose lease is over and that nobody takes over."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def __enter__(self) -> None:
        self._owner.execute(
            "insert into job_queue (type, status, attempt, token, worker, lease_until, started_at, rank) values "
            "('sleep', 'running', 1, 1, 'gone', clock_timestamp() - interval '10 minutes', clock_timestamp(), 0)"
        )

    def __exit__(self, *_: object) -> None:
        self._owner.execute("delete from job_queue where worker = 'gone'")


def test_schedules_that_are_late_or_off(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """A worker that runs and fires nothing; a schedule that was switched off in silence."""
    with watching(pool, application_dsn, tmp_path) as seen, workers(application_dsn, tmp_path, 1, "--no-schedules"):
        with pool.connection() as connection:
            schedule.edit(connection, JOBS, "quick", job_type="nothing", cron="* * * * *")
        seen.until("job_queue", "healthy")
        for minutes, status in ((5, "warning"), (20, "error")):
            owner.execute(
                "update job_schedules set next_at = clock_timestamp() - make_interval(mins => %s)", (minutes,)
            )
            seen.until("job_queue", status, "schedules_late")
            seen.only("schedules_late", "open")
        owner.execute("update job_schedules set next_at = clock_timestamp() + interval '1 minute'")
        seen.until("job_queue", "healthy")
        seen.only("schedules_late", "resolved")
        owner.execute("update job_schedules set enabled = false, last_outcome = 'switched off: bad cron'")
        seen.until("job_queue", "warning", "schedule_off")
        assert seen.only("schedule_off", "open").subject == "quick"
        owner.execute("update job_schedules set enabled = true")
        seen.only("schedule_off", "resolved")


def test_a_champion_that_is_missing_spoiled_and_old(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A model file that was cut short, found out by whoever needs it most."""
    with watching(pool, application_dsn, tmp_path) as seen:
        seen.until("models", "error", "no_champion")
        seen.only("no_champion", "open")
        sha256 = champion(pool, tmp_path)
        seen.until("models", "healthy")
        [path] = tmp_path.rglob(f"{sha256}.json")
        content = path.read_bytes()
        spoiled = dt.datetime.now(dt.UTC)
        path.write_bytes(content[:-1])
        check = seen.until("models", "error", "champion_unreadable")
        assert check.since is not None
        assert check.since - spoiled < 2 * SECOND
        alert = seen.only("champion_unreadable", "open")
        assert "was changed or cut short" in alert.message
        assert str(tmp_path) not in alert.message
        path.unlink()
        eventually(lambda: "cannot read" in seen.check("models").findings[0].message, "it to be missing")
        path.write_bytes(content)
        seen.until("models", "healthy")
        seen.only("champion_unreadable", "resolved")
        [state] = tmp_path.rglob("*.npz")
        kept = state.read_bytes()
        state.write_bytes(b"something else")
        seen.until("models", "error", "champion_unreadable")
        state.write_bytes(kept)
        seen.until("models", "healthy")
        for days, status in ((20, "warning"), (90, "error")):
            champion(pool, tmp_path, days)
            seen.until("models", status, "champion_old")
        seen.only("no_champion", "resolved")
    assert DirectoryStore(tmp_path).get("document", sha256) == content


def test_data_whose_distribution_shifts(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A model that keeps its promise for days, and then half of the matches go the other way than it thinks."""
    now = dt.datetime.now(dt.UTC)
    days = [now - n * DAY for n in range(6, 0, -1)]
    with pool.connection() as connection:
        ledger.open_ledger(connection, "replay", "test", days[0] - DAY)
    with watching(pool, application_dsn, tmp_path) as seen:
        sha256 = champion(pool, tmp_path, **promise(0.52))
        seen.until("models", "healthy")
        for day in days[:3]:
            play(pool, sha256, day, upsets=0.0)
        assert not any(d.drifted for d in keep_drift(pool, [2], now))
        eventually(lambda: seen.check("models").metrics["log_loss_matches"] == 450, "the watch to be known")
        assert seen.check("models").status == "healthy"
        for day in days[3:]:
            play(pool, sha256, day, upsets=0.5)
        keep_drift(pool, [2], now)
        check = seen.until("models", "error", "drift")
        assert check.metrics["log_loss"] > check.metrics["log_loss_promised"] + 0.1
        assert seen.only("drift", "open").severity == "error"
        champion(pool, tmp_path, 0.1, **promise(0.52))
        seen.until("models", "healthy")
        seen.only("drift", "resolved")


def test_a_source_that_freezes(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """The league's server swallows every question, and forecasts go on from what is old."""
    league = subprocess.Popen(
        [sys.executable, "-m", "tipoff", "serve-league", "--port", "0", "--seed", "7"],
        stdout=subprocess.PIPE, text=True, stderr=subprocess.STDOUT, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TIPOFF_HOME": str(tmp_path)},
    )  # fmt: skip
    try:
        assert league.stdout is not None
        url = next(word for line in league.stdout for word in line.split() if word.startswith("http://"))
        limits = {"fetch_minutes_warning": 4 / 60, "fetch_minutes_error": 8 / 60, "quarantine_percent_warning": 100,
                  "quarantine_percent_error": 101}  # fmt: skip
        setting = {"TIPOFF_SOURCE": "league", "TIPOFF_LEAGUE_URL": url.rstrip(".,;")}
        with watching(pool, application_dsn, tmp_path, **limits) as seen:
            seen.until("data_freshness", "error", "source_stale")
            with workers(application_dsn, tmp_path, 1, "--concurrency", "1", **setting):
                with pool.connection() as connection:
                    for one in schedule.DEFAULTS:
                        schedule.edit(connection, JOBS, one[0], enabled=False)
                    schedule.edit(connection, JOBS, "refresh", cron="* * * * * *", enabled=True)
                seen.until("data_freshness", "healthy", seconds=40)
                seen.only("source_stale", "resolved")
                league.send_signal(signal.SIGSTOP)
                frozen = dt.datetime.now(dt.UTC)
                check = seen.until("data_freshness", "warning", "source_stale", seconds=20)
                assert check.since is not None
                assert 2 * SECOND < check.since - frozen < 10 * SECOND
                seen.until("data_freshness", "error", "source_stale", seconds=20)
                eventually(lambda: seen.alerts("source_stale")[-1].state == "open", "its alert")
                league.send_signal(signal.SIGCONT)
                seen.until("data_freshness", "healthy", seconds=60)
                eventually(lambda: [a.state for a in seen.alerts("source_stale")] == ["resolved"] * 2, "two in all")
    finally:
        league.send_signal(signal.SIGCONT)
        league.terminate()
        league.communicate(timeout=20)


def test_rows_that_changed_their_shape(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """The league renames a field, everything goes into quarantine, and only the dashboard gets thinner."""
    from tipoff.domain.payload import RawPayload
    from tipoff.ingest.ingest import ingest_pending
    from tipoff.storage import payloads

    def answer(rows: Any) -> None:
        now = dt.datetime.now(dt.UTC)
        text = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        with pool.connection() as connection:
            payloads.keep(connection, [RawPayload("test", "h2h-2026", "schedule", now.date(), now, text)])
        ingest_pending(pool, now)

    with watching(pool, application_dsn, tmp_path, result_minutes_warning=500) as seen:
        fetched(pool)
        waiting_now(pool)
        seen.until("data_freshness", "healthy")
        answer([{"externalId": f"NB{i}", "matchStatus": "FINISHED"} for i in range(9)])
        seen.until("data_freshness", "error", "quarantine_high")
        assert "shape_changed" in [f.rule for f in seen.check("data_freshness").findings]
        seen.only("shape_changed", "open")
        answer(b"<html>Service moved</html>")
        eventually(lambda: seen.alerts("shape_changed")[-1].severity == "error", "it to be worse")
        owner.execute("delete from quarantine")
        seen.until("data_freshness", "healthy")
        seen.only("shape_changed", "resolved")
        seen.only("quarantine_high", "resolved")


def waiting_now(pool: Pool) -> None:
    """A match that comes."""
    with pool.connection() as connection:
        waiting(connection, [dt.datetime.now(dt.UTC) + 90 * MINUTE])


def test_matches_that_begin_without_a_seal(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """Forecasts that come too late to be sealed, and a record that looks whole."""
    with watching(pool, application_dsn, tmp_path, verified_hours=1e6) as seen:
        seen.until("forecasts", "healthy")
        now = dt.datetime.now(dt.UTC)
        with pool.connection() as connection:
            ledger.open_ledger(connection, "database", "test")
            made = waiting(connection, [now + 1.5 * SECOND + (i % 3) * SECOND / 10 for i in range(10)])
            ledger.seal(connection, [body(f, 2) for f in made[:9]])
        with owner.transaction():
            owner.execute("alter table ledger disable trigger all")
            owner.execute(
                "update ledger set content = "
                "jsonb_set(content::jsonb, '{at}', '\"2026-01-01T00:00:00.000000Z\"')::text where seq = 1"
            )
        eventually(lambda: seen.check("forecasts").metrics["matches_begun"] == 10, "all to have begun")
        seen.until("forecasts", "warning", "forecasts_unsealed")
        eventually(lambda: seen.check("forecasts").metrics["sealed_share"] == 0.9, "nine of ten to be counted")
        with pool.connection() as connection:
            waiting(connection, [dt.datetime.now(dt.UTC) - MINUTE] * 10, "G")
        seen.until("forecasts", "error", "forecasts_unsealed")
        seen.only("forecasts_unsealed", "open")
        owner.execute(
            "update upcoming_matches set start_at = start_at - interval '2 days' where external_id like 'G%'"
        )
        owner.execute("update upcoming_matches set start_at = start_at - interval '2 days' where external_id = 'F9'")
        seen.until("forecasts", "healthy")
        assert seen.only("forecasts_unsealed", "resolved").severity == "error"


def test_a_ledger_that_was_changed(pool: Pool, owner: Owner, application_dsn: str, tmp_path: Path) -> None:
    """Somebody with the owner's rights improves the record."""
    with pool.connection() as connection:
        ledger.open_ledger(connection, "database", "test")
        made = waiting(connection, [dt.datetime.now(dt.UTC) + 25 * MINUTE] * 3)
        ledger.seal(connection, [body(f) for f in made])
    with watching(pool, application_dsn, tmp_path, verified_hours=1) as seen:
        keep_verification(pool, [])
        seen.until("forecasts", "healthy")
        owner.execute("alter table ledger disable trigger all")
        [(content,)] = owner.execute("select content from ledger where seq = 3").fetchall()
        owner.execute("update ledger set content = replace(content, '108', '109') where seq = 3")
        keep_verification(pool, [])
        check = seen.until("forecasts", "error", "ledger_broken")
        assert "row 3" in check.findings[0].message
        seen.only("ledger_broken", "open")
        owner.execute("update ledger set content = %s where seq = 3", (content,))
        keep_verification(pool, [])
        seen.until("forecasts", "healthy")
        seen.only("ledger_broken", "resolved")
        owner.execute("update health_findings set as_of = as_of - interval '2 hours' where name = 'ledger'")
        seen.until("forecasts", "warning", "ledger_unverified")


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
    with workers(application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_HEALTH_EVERY="3600"):
        done = ended(pool, enqueue(pool, "cleanup"))
    assert done.status == "completed", done.error
    with pool.connection() as connection:
        [(reports_left, alerts_left, processes)] = connection.execute(
            "select (select count(*) from system_health where checker = 'test'), "
            "(select count(*) from alerts where rule = 'disk_low'), "
            "(select count(*) from health_processes where name = 'w')"
        ).fetchall()
    assert (reports_left, alerts_left, processes) == (8, 3, 0)
