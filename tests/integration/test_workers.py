"""Real `tipoff worker` processes on real Postgres: ends, limits, cancels, drains."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import time
from pathlib import Path

import pytest

from tests.jobs import (
    JOBS,
    WorkerProcess,
    alive,
    ended,
    enqueue,
    eventually,
    guards,
    job,
    order,
    running,
    workers,
)
from tests.supabase_storage import SECRET, Bucket
from tipoff.errors import InputError
from tipoff.league.runner import served
from tipoff.storage.pool import Pool


def test_every_bad_end_has_a_name_and_the_worker_lives_on(pool: Pool, worker: WorkerProcess) -> None:
    """A job that died in an unusual way and was called completed, or failed without saying why."""
    wanted = {
        "timeout": ("timeout", "longer than the 1 s"), "greedy": ("out_of_memory", "memory"),
        "creeping": ("out_of_memory", "more than the 256 MB"), "forks": ("forked", "forked"),
        "leaves": ("left_processes", "left 1 process"),
        "leaves_a_shell_job": ("left_processes", "left 1 process"), "loud": ("output_limit", "16 MB of output"),
        "segfault": ("crashed", "SIGSEGV"), "vanish": ("exited", "exit code 0, without a result"),
        "wrong": ("input_error", "this can never work"), "broken": ("unexpected", "KeyError: 'missing'"),
        "unstorable": ("result_not_storable", "cannot be stored"), "ill": ("input_error", "nul \ufffd and half ?"),
    }  # fmt: skip
    ids = {name: enqueue(pool, name) for name in wanted}
    found = {name: ended(pool, job_id, 60) for name, job_id in ids.items()}
    for name, (kind, words) in wanted.items():
        assert found[name].status == "failed", name
        assert found[name].error is not None
        assert (found[name].error["kind"], words in found[name].error["message"]) == (kind, True), found[name].error  # type: ignore[index]
        assert found[name].attempt == 1, name
    assert "job_types.py" in found["broken"].error["where"]  # type: ignore[index]
    assert ended(pool, enqueue(pool, "nothing")).status == "completed"
    assert worker.process.poll() is None
    with pool.connection() as connection:
        for name in ("leaves", "leaves_a_shell_job"):
            [left] = [line for line in JOBS.logs(connection, ids[name]) if line.line.startswith("left ")]
            assert not alive(int(left.line.split()[1])), name


def test_what_the_database_cannot_hold_harms_nobody(pool: Pool, worker: WorkerProcess) -> None:
    """A message with a NUL that stops the beats of every job; a result that takes its neighbours with it."""
    odd = enqueue(pool, "unprintable")
    assert running(pool, odd, "half ? and \ufffd").progress == 0
    with pool.connection() as connection:
        bad = JOBS.enqueue_many(connection, "unstorable", [{}] * 5)
        good = JOBS.enqueue_many(connection, "nothing", [{}] * 20)
    assert ended(pool, enqueue(pool, "wordless")).message == "5"
    assert {ended(pool, job_id).status for job_id in bad} == {"failed"}
    assert {(ended(pool, job_id).status, ended(pool, job_id).attempt) for job_id in [odd, *good]} == {
        ("completed", 1)
    }
    assert worker.process.poll() is None


def test_output_is_kept_bounded_and_without_secrets(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A log that fills the disk, or shows a password."""
    secret = "s3cr3t-guest-token"
    with workers(application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_H2H_2025_TOKEN=secret):
        done = ended(pool, enqueue(pool, "talkative"))
    with pool.connection() as connection:
        lines = [line.line for line in JOBS.logs(connection, done.id)]
    assert (done.status, done.result) == ("completed", {"given": ["***", 7]})
    assert lines[0] == "line 0"
    assert lines[-1].startswith("password")
    assert len(lines) == 301
    assert any("701 lines left out" in line for line in lines)
    assert not any(secret in line for line in lines)


def test_secrets_reach_only_the_types_that_need_them(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A child process with every key of the house."""
    with workers(application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_H2H_2025_TOKEN="t0k3n"):
        plain = ended(pool, enqueue(pool, "environment"))
        given = ended(pool, enqueue(pool, "environment_with_source"))
    assert plain.result["TIPOFF_H2H_2025_TOKEN"] is None
    assert given.result["TIPOFF_H2H_2025_TOKEN"] == "***"
    assert plain.result["DATABASE_URL"] is None
    assert plain.result["proc_environ"] is False


def test_passing_failures_are_tried_again(pool: Pool, worker: WorkerProcess) -> None:
    """A failure that would have passed, taken for final; or one attempt too many."""
    done = ended(pool, enqueue(pool, "passing"))
    assert (done.status, done.attempt, done.result, done.error) == ("completed", 3, "at last", None)


def test_a_store_that_is_busy_fails_no_job(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A training lost to a store that had trouble for seconds; or one tried again with a key that never works."""
    key = f"models/document/{hashlib.sha256(b'{}').hexdigest()}.json"
    bucket = Bucket(created=True, unreadable={key})
    with served(bucket.app()) as url:
        with workers(
            application_dsn, tmp_path, 1, "--no-schedules", SUPABASE_URL=url, SUPABASE_SERVICE_ROLE_KEY=SECRET
        ):
            stored = enqueue(pool, "stores")
            eventually(
                lambda: job(pool, stored).attempt == 2 or job(pool, stored).status.final, "it to be tried again"
            )
            bucket.unreadable.clear()
            done = ended(pool, stored)
        assert (done.status, done.attempt, done.error) == ("completed", 2, None)
        with workers(
            application_dsn,
            tmp_path,
            1,
            "--no-schedules",
            SUPABASE_URL=url,
            SUPABASE_SERVICE_ROLE_KEY=f"{SECRET}_before",
        ):
            done = ended(pool, enqueue(pool, "stores"))
        assert (done.status, done.attempt) == ("failed", 1)
        assert done.error is not None
        assert done.error["kind"] == "artifact_error"


@pytest.mark.parametrize(("name", "saying"), [("deaf", "deaf"), ("c_call", "busy"), ("sleep", "sleeping")])
def test_cancel_ends_what_runs_within_two_seconds(pool: Pool, worker: WorkerProcess, name: str, saying: str) -> None:
    """A cancelled job that runs on."""
    job_id = enqueue(pool, name, seconds=60)
    running(pool, job_id, saying)
    [runner] = [pid for pid in worker.family() if pid not in guards(worker)]
    asked = time.monotonic()
    with pool.connection() as connection:
        assert JOBS.cancel(connection, job_id).status == "running"
    done = ended(pool, job_id)
    assert time.monotonic() - asked < 2.0
    assert (done.status, done.error, done.worker) == ("cancelled", None, None)
    assert not alive(runner)
    with pool.connection() as connection, pytest.raises(InputError, match="has ended already: cancelled"):
        JOBS.cancel(connection, job_id)


def test_what_waits_is_cancelled_and_never_starts(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A cancel that only works while a worker is there."""
    job_id = enqueue(pool, "sleep", seconds=0)
    with pool.connection() as connection:
        assert JOBS.cancel(connection, job_id).status == "cancelled"
    with workers(application_dsn, tmp_path, 1, "--no-schedules"):
        ended(pool, enqueue(pool, "nothing"))
    assert (job(pool, job_id).status, job(pool, job_id).attempt) == ("cancelled", 0)


def test_cancel_at_the_moment_it_finishes_ends_legally(pool: Pool, worker: WorkerProcess) -> None:
    """A job both cancelled and completed, or neither; the moment is hunted for from both sides."""
    seen, moment = [], 0.05
    for _ in range(40):
        job_id = enqueue(pool, "sleep", seconds=0.05)
        time.sleep(moment)
        with pool.connection() as connection, contextlib.suppress(InputError):
            JOBS.cancel(connection, job_id)
        done = ended(pool, job_id)
        assert done.status in ("completed", "cancelled")
        assert (done.result is None) == (done.status == "cancelled")
        assert (done.result is None) == (done.progress != 100)
        seen.append(done.status)
        moment *= 1.5 if done.status == "cancelled" else 0.8
    assert {seen.count(status) >= 4 for status in ("completed", "cancelled")} == {True}, seen


def test_told_to_stop_it_hands_its_jobs_back_without_cost(pool: Pool, worker: WorkerProcess) -> None:
    """A deployment that burns the attempts of whatever runs."""
    job_id = enqueue(pool, "sleep", seconds=100)
    running(pool, job_id, "sleeping")
    family = worker.family()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(15) == 0
    back = job(pool, job_id)
    assert (back.status, back.attempt, back.token) == ("pending", 0, 1)
    assert "handed back" in back.message
    assert not any(alive(pid) for pid in family)


def test_a_handler_that_stumbles_on_its_way_out_is_handed_back(pool: Pool, worker: WorkerProcess) -> None:
    """A deployment after which jobs have failed for good because their tidying up did."""
    job_id = enqueue(pool, "angry")
    running(pool, job_id, "calm")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(15) == 0
    assert (job(pool, job_id).status, job(pool, job_id).attempt, job(pool, job_id).error) == ("pending", 0, None)


def test_a_cancel_is_heard_while_it_drains(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A worker that is told to stop and is deaf from then on."""
    with workers(application_dsn, tmp_path, 1, "--no-schedules", "--grace", "30") as [one]:
        job_id = enqueue(pool, "deaf")
        running(pool, job_id, "deaf")
        one.process.send_signal(signal.SIGTERM)
        eventually(lambda: "stopping: " in one.output, "it to drain")
        asked = time.monotonic()
        with pool.connection() as connection:
            JOBS.cancel(connection, job_id)
        assert ended(pool, job_id).status == "cancelled"
        assert time.monotonic() - asked < 2.0
        assert one.process.wait(10) == 0


def test_while_it_drains_it_finishes_and_renews(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A drain longer than a lease, in which another worker takes the job."""
    with workers(application_dsn, tmp_path, 2, "--no-schedules", "--concurrency", "1", "--grace", "30") as made:
        job_id = enqueue(pool, "sleep", seconds=11)
        running(pool, job_id, "sleeping")
        [holder] = [one for one in made if (job(pool, job_id).worker or "").split(":")[1] == str(one.pid)]
        holder.process.send_signal(signal.SIGTERM)
        done = ended(pool, job_id)
        assert (done.status, done.attempt, done.token) == ("completed", 1, 1)
        assert holder.process.wait(10) == 0


def test_priorities_and_times_hold(effects: Pool, application_dsn: str, tmp_path: Path) -> None:
    """First come, first served, whatever was asked."""
    with workers(application_dsn, tmp_path, 1, "--no-schedules", "--concurrency", "1"):
        with effects.connection() as connection:  # all appear at once to a worker that waits for them
            later = connection.execute("select clock_timestamp() + interval '5 seconds'").fetchone()[0]  # type: ignore[index]
            JOBS.enqueue(connection, "effect", {"n": 9}, run_after=later, priority=100)
            for n, priority in ((1, 0), (2, 5), (3, -5), (4, 50)):
                JOBS.enqueue(connection, "effect", {"n": n}, priority=priority)
        eventually(lambda: len(order(effects)) == 5, "all to be done")
    assert order(effects) == [4, 2, 1, 3, 9]
