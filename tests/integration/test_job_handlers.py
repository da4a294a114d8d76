"""The handlers through real workers: equal to the plain commands, resumed where they were, moved by parameters."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.jobs import JOBS, ended, enqueue, eventually, job, workers
from tests.simulated import BEGIN
from tipoff.clock import FixedClock
from tipoff.league import schedule
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.pipeline.fetch import days_until, fetch
from tipoff.pipeline.predict import predict
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.pipeline.train import train
from tipoff.storage import jobs
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool, open_pool
from tipoff.upstream.recorded import RecordedSource

DAY = dt.timedelta(days=1)
DAYS = 9
LEFT_OUT = {
    "job_queue", "pipeline_jobs", "job_logs", "job_schedules", "schedule_ticks", "forecast_revision", "job_workers",
    "system_health", "health_findings", "health_processes", "alerts",
}  # fmt: skip
"""what says how the work was done rather than what came of it"""
TIMES = (
    "created_at", "activated_at", "trained_at", "seconds_to_fit", "microseconds_a_match", "code_version",
    "size_bytes", "version",
)  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded days of the simulated league; the last one still has fixtures ahead."""
    folder = tmp_path_factory.mktemp("recorded")
    league = League()
    later = BEGIN + (DAYS - 1) * DAY + dt.timedelta(hours=18)
    for i in range(DAYS):
        begin = BEGIN + i * DAY
        (folder / f"{begin.date()}.json").write_text(json.dumps(schedule.day_view(league, begin, later)))
    return folder


@pytest.fixture
def now() -> str:
    """The moment at which the last recorded day was seen."""
    return (BEGIN + (DAYS - 1) * DAY + dt.timedelta(hours=18)).isoformat()


@contextlib.contextmanager
def fresh(server: PrivatePostgres, template: str, name: str) -> Iterator[tuple[str, Pool]]:
    """Another database with the schema: the application's address of it, and a pool."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
    dsn = server.application_dsn.replace("dbname=postgres", f"dbname={name}")
    with contextlib.closing(open_pool(dsn)) as pool:
        yield dsn, pool


def content(pool: Pool) -> dict[str, Any]:
    """Every table row by row, without what only says when or how it was computed."""
    found = {}
    with pool.connection() as connection:
        tables = connection.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        ).fetchall()
        names = connection.execute(
            "select sha256, row_number() over (order by version) from model_registry"
        ).fetchall()
        for (table,) in tables:
            if table not in LEFT_OUT:
                rows = connection.execute(f"select to_jsonb(t) from {table} t".encode()).fetchall()
                found[table] = sorted(_named(json.dumps(_plain(row[0]), sort_keys=True), names) for row in rows)
    return found


def _named(text: str, names: list[tuple[Any, ...]]) -> str:
    """A model's hash depends on how long its fit took: call it by its number."""
    for sha256, version in names:
        text = text.replace(sha256, f"model {version}")
    return text


def _plain(value: Any) -> Any:
    """Without times; numbers to nine digits, since a matrix product's last one depends on the threads it had."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in TIMES}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _difference(one: list[str], other: list[str]) -> list[str]:
    """What only one of them holds, with enough to find it."""
    apart = sorted(set(one) ^ set(other))[:2]
    pairs = enumerate(zip(*apart, strict=False)) if len(apart) > 1 else iter([])
    at = next((i for i, (a, b) in pairs if a != b), 0)
    return [text[max(0, at - 200) : at + 300] for text in apart]


@contextlib.contextmanager
def working(dsn: str, home: Path, recording: Path, now: str) -> Iterator[None]:
    """A worker whose league is the recording, at that time."""
    with workers(
        dsn, home, 1, "--no-schedules", "--concurrency", "1", "--at", now, TIPOFF_SOURCE=f"recorded:{recording}"
    ):
        yield


def result(pool: Pool, name: str, **params: object) -> Any:
    """What a job came to."""
    done = ended(pool, enqueue(pool, name, **params), 120)
    assert done.status == "completed", done.error
    return done.result


def run(dsn: str, pool: Pool, home: Path, recording: Path, now: str, name: str, **params: object) -> Any:
    """One job by a worker of its own, to its end."""
    with working(dsn, home, recording, now):
        return result(pool, name, **params)


def test_the_pipeline_does_what_the_commands_do(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A job with results of its own."""
    moment = dt.datetime.fromisoformat(now)
    with fresh(server, template, "plain") as (_, pool):
        fetch(pool, RecordedSource(recording), days_until(moment, DAYS), moment)
        train(pool, DirectoryStore(tmp_path / "plain"), moment, "test")
        refresh_statistics(pool, moment)
        predict(pool, moment)
        plain = content(pool)
    with fresh(server, template, "by_job") as (dsn, pool):
        told = {"history_days": DAYS, "train_model": True, "return_predictions": True}
        made = run(dsn, pool, tmp_path, recording, now, "data_pipeline", **told)
        by_job = content(pool)
        with pool.connection() as connection:
            job = JOBS.listed(connection)[0]
            steps = JOBS.steps(connection, job.id)
    assert [s.step for s in steps] == ["fetch", "ingest", "statistics", "train", "predict", "grade"]
    assert all(s.status == "completed" and s.progress == 100 for s in steps)
    assert steps[0].rows_out == DAYS
    assert len(made["predictions"]) > 10
    assert made["predict"]["not_sealed_because"]
    assert set(plain) == set(by_job)
    for table, rows in plain.items():
        if table not in ("player_stats", "team_stats"):
            assert _difference(by_job[table], rows) == [], table
    assert len(by_job["team_stats"]) == len(plain["team_stats"]) > 10
    assert len(by_job["player_stats"]) == len(plain["player_stats"]) > 10
    assert len(plain["matches"]) > 1500


KILLS = (
    ("fetch", "middle"), ("ingest", "late"), ("statistics", "begin"), ("train", "late"), ("predict", "late"),
    ("grade", "end"),
)  # fmt: skip
"""what CI does; `make chaos` kills at the beginning, in the middle, late, and after each step"""


def test_killed_at_each_step_and_resumed_it_ends_the_same(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A pipeline that begins anew, does things twice, or leaves something out after a kill."""
    params = {"history_days": DAYS, "train_model": True}
    with fresh(server, template, "whole") as (dsn, pool):
        run(dsn, pool, tmp_path, recording, now, "data_pipeline", **params)
        whole = content(pool)
    every = [(step, moment) for step in dict(KILLS) for moment in ("begin", "middle", "late", "end")]
    for step, moment in every if os.environ.get("TIPOFF_CHAOS") else KILLS:
        name = f"killed_{step}_{moment}"
        with fresh(server, template, name) as (dsn, pool):
            run(dsn, pool, tmp_path, recording, now, "killed_pipeline", **params, step=step, moment=moment)
            with pool.connection() as connection:
                job = JOBS.listed(connection)[0]
            assert job.attempt == 2, name
            again = content(pool)
            assert {t: gap for t, rows in whole.items() if (gap := _difference(again[t], rows))} == {}, name


def test_every_parameter_of_a_training_counts(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A parameter that is accepted and ignored."""
    with fresh(server, template, "trained") as (dsn, pool), working(dsn, tmp_path, recording, now):
        result(pool, "data_pipeline", history_days=DAYS)
        usual = result(pool, "model_training")
        short = result(pool, "model_training", days_back=2)
        often = result(pool, "model_training", min_matches_per_player=30)
        high = result(pool, "model_training", performance_threshold=0.9)
    assert usual["fit"]["fitted_from"] < short["fit"]["fitted_from"]
    assert often["fit"]["min_matches_per_player"] == 30
    values = [model["model"] for model in (usual, short, often)]
    assert len(set(values)) == 3
    assert not high["activated"]
    assert "90.0% were demanded" in high["reason"]


def test_a_training_fits_into_its_time(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A training that has found a good model and is ended by its time limit."""
    with fresh(server, template, "hurried") as (dsn, pool):
        run(dsn, pool, tmp_path, recording, now, "data_pipeline", history_days=DAYS)
        made = run(dsn, pool, tmp_path, recording, now, "slow_training")
    assert [search["message"] for search in made["fit"]["searches"]] == ["out of time", "out of time"]
    assert made["fit"]["searches"][0]["evaluations"] > 10
    assert made["activated"], made["reason"]


def test_a_long_history_takes_several_attempts(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A history that fits into no time limit, and so is never had."""
    with fresh(server, template, "long") as (dsn, pool):
        made = run(dsn, pool, tmp_path, recording, now, "slow_history", history_days=DAYS)
        with pool.connection() as connection:
            done = JOBS.listed(connection)[0]
    assert 2 <= done.attempt <= 10
    assert made["fetch"]["days"] == DAYS + 2
    assert made["ingest"]["payloads"] == DAYS


def test_a_refresh_that_slept_fetches_anew(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A laptop that wakes in the middle of a refresh, and shows what the league said before it slept."""
    kept: dict[str, object] = {"asked": 0, "before": "the sleep"}
    with fresh(server, template, "slept") as (dsn, pool), working(dsn, tmp_path, recording, now):
        for seconds, expected in ((20, kept), (90, {"asked": 4, "settled": 0, "empty": 1, "days": 4})):
            with pool.connection() as connection:
                asked = JOBS.enqueue(connection, "quick_data_refresh", {}).id
                jobs.plan_steps(connection, asked, ["fetch", "ingest", "statistics", "predict", "grade"])
                connection.execute(
                    "update pipeline_jobs set status = 'completed', progress = 100, detail = %s, "
                    "started_at = now() - make_interval(secs => %s), finished_at = now() "
                    "where step = 'fetch' and job_id = %s",
                    (Jsonb(kept), seconds, asked),
                )
            done = ended(pool, asked)
            assert (done.status, done.error) == ("completed", None)
            assert done.result["fetch"] == expected


def test_cancelled_within_a_step_and_tried_again(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A pipeline that runs on after a cancel, calls a step running for ever, or begins anew when tried again."""
    with (
        fresh(server, template, "cancelled") as (dsn, pool),
        workers(
            dsn, tmp_path, 1, "--no-schedules", "--concurrency", "1", "--at", now,
            TIPOFF_SOURCE=f"recorded:{recording}",
        ) as [worker],
    ):  # fmt: skip
        job_id = enqueue(pool, "data_pipeline", history_days=DAYS, train_model=True)
        eventually(lambda: "fitting" in job(pool, job_id).message, "the training to run", 60)
        [guard] = psutil.Process(worker.pid).children()
        [runner] = guard.children()
        asked = time.monotonic()
        with pool.connection() as connection:
            JOBS.cancel(connection, job_id)
        done = ended(pool, job_id)
        assert time.monotonic() - asked < 2.0
        assert (done.status, done.error, runner.is_running()) == ("cancelled", None, False)
        with pool.connection() as connection:
            steps = {s.step: s.status.value for s in JOBS.steps(connection, job_id)}
            assert steps == {
                "fetch": "completed", "ingest": "completed", "statistics": "completed", "train": "cancelled",
                "predict": "cancelled", "grade": "cancelled",
            }  # fmt: skip
            JOBS.retry(connection, job_id)
        again = ended(pool, job_id, 120)
        assert (again.status, again.error) == ("completed", None)
        with pool.connection() as connection:
            seen = {s.step: s for s in JOBS.steps(connection, job_id)}
        assert done.finished_at is not None
        assert seen["statistics"].finished_at < done.finished_at < seen["train"].started_at  # type: ignore[operator]


def test_history_and_predictions_count(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A pipeline that fetches what it likes."""
    with fresh(server, template, "history") as (dsn, pool):
        few = run(dsn, pool, tmp_path, recording, now, "data_pipeline", history_days=2)
        more = run(dsn, pool, tmp_path, recording, now, "data_pipeline", history_days=DAYS, train_model=True)
        quick = run(dsn, pool, tmp_path, recording, now, "quick_data_refresh", return_predictions=True)
        quiet = run(dsn, pool, tmp_path, recording, now, "prediction_generation", return_predictions=False)
        loud = run(dsn, pool, tmp_path, recording, now, "prediction_generation")
    assert few["predict"]["skipped"]
    assert (few["fetch"]["days"], more["fetch"]["days"]) == (4, DAYS + 2)
    assert few["ingest"]["matches"] < more["ingest"]["matches"]
    assert "predictions" not in more
    assert "predictions" not in quiet
    assert len(quick["predictions"]) == len(loud["predictions"]) > 10


def test_a_fresh_token_is_asked_for_when_told(
    server: PrivatePostgres, template: str, now: str, tmp_path: Path
) -> None:
    """A token asked for at every turn, or never; one that a result or a log gives away."""
    app = LeagueApp(League(), FixedClock(dt.datetime.fromisoformat(now)))
    app.token = "s3cr3t-guest"
    script, asked = tmp_path / "guest.py", tmp_path / "asked"
    script.write_text(f"open({str(asked)!r}, 'a').write('x')\nprint({app.token!r})\n")
    with (
        fresh(server, template, "token") as (dsn, pool), league_server(app) as url,
        workers(
            dsn, tmp_path, 1, "--no-schedules", "--concurrency", "1", "--at", now, TIPOFF_SOURCE="h2h-2025",
            TIPOFF_LEAGUE_URL=url, TIPOFF_SPACING="0", TIPOFF_H2H_2025_TOKEN=app.token,
            TIPOFF_H2H_2025_TOKEN_COMMAND=f"{sys.executable} {script}",
        ) as [worker],
    ):  # fmt: skip
        plain = ended(pool, enqueue(pool, "quick_data_refresh"), 60)
        assert (plain.status, plain.result["token"], asked.exists()) == ("completed", {"refreshed": False}, False)
        told = ended(pool, enqueue(pool, "quick_data_refresh", refresh_token=True), 60)
        assert (told.status, told.result["token"], asked.read_text()) == ("completed", {"refreshed": True}, "x")
        whole = ended(pool, enqueue(pool, "data_pipeline", history_days=3, refresh_token=True), 60)
        assert (whole.status, whole.result["ingest"]["new"] > 100, asked.read_text()) == ("completed", True, "xx")
        script.write_text("raise SystemExit(3)")
        failed = ended(pool, enqueue(pool, "data_pipeline", history_days=3, refresh_token=True), 60)
        assert failed.error is not None
        assert (failed.error["kind"], "step token failed" in failed.error["message"]) == (
            "terminal_upstream_error",
            True,
        )
        with pool.connection() as connection:
            steps = [(s.step, s.status.value) for s in JOBS.steps(connection, failed.id)]
            told_of = connection.execute(
                "select string_agg(j::text, '') || (select string_agg(s::text, '') from pipeline_jobs s) "
                "|| (select coalesce(string_agg(l::text, ''), '') from job_logs l) from job_queue j"
            ).fetchone()
        assert steps[:2] == [("token", "failed"), ("fetch", "cancelled")]
        assert app.token not in f"{told_of}{worker.output}"


def test_a_step_that_fails_says_what_was_kept(
    server: PrivatePostgres, template: str, recording: Path, now: str, tmp_path: Path
) -> None:
    """A pipeline that fails and keeps to itself how far it came."""
    with fresh(server, template, "step_failed") as (dsn, pool):
        with workers(
            dsn, tmp_path, 1, "--no-schedules", "--concurrency", "1", "--at", now,
            TIPOFF_SOURCE=f"recorded:{recording}",
        ):  # fmt: skip
            done = ended(pool, enqueue(pool, "data_pipeline", history_days=1, train_model=True), 120)
            with pool.connection() as connection:
                steps = {s.step: s.status.value for s in JOBS.steps(connection, done.id)}
                matches = connection.execute("select count(*) from matches").fetchone()
        assert done.status == "failed"
        assert done.error is not None
        assert done.error["kind"] == "input_error"
        assert "step train failed: 2 days of results are too few" in done.error["message"]
        assert done.error["message"].endswith("Kept: fetch, ingest, statistics; not done: predict, grade")
        assert steps == {
            "fetch": "completed", "ingest": "completed", "statistics": "completed", "train": "failed",
            "predict": "cancelled", "grade": "cancelled",
        }  # fmt: skip
        assert matches is not None
        assert matches[0] > 200
