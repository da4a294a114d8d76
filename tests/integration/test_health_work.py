"""Jobs, models, data and forecasts by breaking the real thing: each check turns and comes back, with one alert."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

from tests.drifting import DAY, play, promise
from tests.health import SECOND, champion, fetched, watching
from tests.jobs import JOBS, ROOT, ended, enqueue, eventually, workers
from tests.sealing import MINUTE, body, waiting
from tipoff.jobs import schedule
from tipoff.pipeline.watch import keep_drift, keep_verification
from tipoff.storage import ledger
from tipoff.storage.artifacts import DirectoryStore
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
        for seed, day in enumerate(days[:2]):
            play(pool, sha256, day, upsets=0.0, seed=seed)
        assert [d for d in keep_drift(pool, [2], now) if d.drifted] == []
        eventually(lambda: seen.check("models").metrics["log_loss_matches"] == 300, "the watch to be known")
        assert seen.check("models").status == "healthy"
        for seed, day in enumerate(days[2:], 2):
            play(pool, sha256, day, upsets=0.5, seed=seed)
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
