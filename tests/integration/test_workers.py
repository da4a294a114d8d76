"""Real `tipoff worker` processes on real Postgres: ends, limits, cancels, drains, fences."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs import (
    JOBS,
    WorkerProcess,
    alive,
    ended,
    enqueue,
    eventually,
    job,
    running,
    workers,
)
from tipoff.cli.worker import working
from tipoff.domain.job import Job
from tipoff.errors import InputError
from tipoff.jobs.slot import Deployment
from tipoff.settings import Settings
from tipoff.storage.lease import LeaseStore
from tipoff.storage.pool import Pool


@pytest.fixture
def effects(owner: object, pool: Pool) -> Pool:
    """A table without any uniqueness, in which doubles would show."""
    owner.execute(
        "create table effects (n integer, pid integer, attempt integer, at timestamptz default clock_timestamp())"
    )  # type: ignore[attr-defined]
    owner.execute("grant select, insert on effects to tipoff_app")  # type: ignore[attr-defined]
    return pool


@pytest.fixture
def worker(application_dsn: str, tmp_path: Path) -> Iterator[WorkerProcess]:
    """One worker that runs two jobs at a time."""
    with workers(application_dsn, tmp_path, 1, "--concurrency", "2", "--no-schedules", "--grace", "1") as [one]:
        yield one


def test_every_bad_end_has_a_name_and_the_worker_lives_on(pool: Pool, worker: WorkerProcess) -> None:
    """A job that died in an unusual way and was called completed, or failed without saying why."""
    wanted = {
        "timeout": ("timeout", "longer than the 1 s"), "greedy": ("out_of_memory", "memory"),
        "creeping": ("out_of_memory", "more than the 256 MB"), "forks": ("forked", "forked"),
        "leaves": ("left_processes", "left 1 process"), "loud": ("output_limit", "16 MB of output"),
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
        [left] = [line for line in JOBS.logs(connection, ids["leaves"]) if line.line.startswith("left ")]
    assert not alive(int(left.line.split()[1]))


def test_what_the_database_cannot_hold_harms_nobody(pool: Pool, worker: WorkerProcess) -> None:
    """A message with a NUL that stops the beats of every job; a result that takes its neighbours with it."""
    odd = enqueue(pool, "unprintable")
    assert running(pool, odd, "half ? and \ufffd").progress == 0
    with pool.connection() as connection:
        bad = JOBS.enqueue_many(connection, "unstorable", [{}] * 5)
        good = JOBS.enqueue_many(connection, "nothing", [{}] * 20)
    assert {ended(pool, job_id).status for job_id in bad} == {"failed"}
    assert {(ended(pool, job_id).status, ended(pool, job_id).attempt) for job_id in [odd, *good]} == {
        ("completed", 1)
    }
    assert worker.process.poll() is None


def test_a_worker_that_cannot_go_on_ends_and_says_so(
    pool: Pool, application_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in the renewing of leases, after which jobs are claimed, lost and claimed again for ever."""

    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(LeaseStore, "beat", broken)
    told = Deployment(application_dsn, application_dsn, Settings(TIPOFF_HOME=tmp_path))  # type: ignore[call-arg]
    job_id = enqueue(pool, "sleep", seconds=60)
    with pytest.raises(RuntimeError, match="a bug"), working(told, JOBS.types, 1, schedules=False):
        ended(pool, job_id, 30)
    assert (job(pool, job_id).status, job(pool, job_id).attempt) == ("pending", 0)


def test_output_is_kept_bounded_and_without_secrets(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A log that fills the disk, or shows a password."""
    secret = "s3cr3t-guest-token"
    with workers(application_dsn, tmp_path, 1, "--no-schedules", TIPOFF_H2H_2025_TOKEN=secret):
        done = ended(pool, enqueue(pool, "talkative"))
    with pool.connection() as connection:
        lines = [line.line for line in JOBS.logs(connection, done.id)]
    assert done.status == "completed"
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


@pytest.mark.parametrize(("name", "saying"), [("deaf", "deaf"), ("c_call", "busy"), ("sleep", "sleeping")])
def test_cancel_ends_what_runs_within_two_seconds(pool: Pool, worker: WorkerProcess, name: str, saying: str) -> None:
    """A cancelled job that runs on."""
    job_id = enqueue(pool, name, seconds=60)
    running(pool, job_id, saying)
    [runner] = [pid for pid in worker.family() if pid not in _guards(worker)]
    asked = time.monotonic()
    with pool.connection() as connection:
        assert JOBS.cancel(connection, job_id).status == "running"
    done = ended(pool, job_id)
    assert time.monotonic() - asked < 2.0
    assert (done.status, done.error, done.worker) == ("cancelled", None, None)
    assert not alive(runner)
    with pool.connection() as connection, pytest.raises(InputError, match="has ended already: cancelled"):
        JOBS.cancel(connection, job_id)


def _guards(worker: WorkerProcess) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(worker.pid).children()]


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


def _holder(made: list[WorkerProcess], held: Job) -> WorkerProcess:
    [one] = [one for one in made if (held.worker or "").split(":")[1] == str(one.pid)]
    return one


def test_a_frozen_handler_is_fenced_off(effects: Pool, application_dsn: str, tmp_path: Path) -> None:
    """SIGSTOP past the lease, another worker finishes the job, SIGCONT: a late effect that is accepted.

    The handler is resumed first and alone, so that nothing but the fence can stop it.
    """
    note = tmp_path / "refused"
    with workers(application_dsn, tmp_path, 2, "--no-schedules", "--concurrency", "1") as made:
        job_id = enqueue(effects, "late_write", seconds=1, note=str(note))
        first = _holder(made, running(effects, job_id))
        eventually(lambda: _order(effects), "it to write")
        frozen = first.family()
        [handler] = [pid for pid in frozen if pid not in _guards(first)]
        first.signal(signal.SIGSTOP, children=True)
        done = ended(effects, job_id, 40)
        assert (done.status, done.attempt, done.token) == ("completed", 2, 2)
        before = _of_attempt(effects, 1)
        os.kill(handler, signal.SIGCONT)
        eventually(note.exists, "it to be refused", 10)
        assert "no longer held by this attempt" in note.read_text()
        first.signal(signal.SIGCONT, children=True)
        eventually(lambda: not alive(handler), "the old attempt to end")
        eventually(lambda: re.search(r"lease was lost|ended before its lease", first.output), "it to notice")
        ended(effects, enqueue(effects, "nothing"))
        assert before > 0
        assert _of_attempt(effects, 1) == before
        assert job(effects, job_id) == done


def _of_attempt(pool: Pool, attempt: int) -> int:
    with pool.connection() as connection:
        row = connection.execute("select count(*) from effects where attempt = %s", (attempt,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_frozen_workers_completion_is_refused(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A worker that wakes up with an old attempt's result in its hands and ends the new attempt with it."""
    with workers(application_dsn, tmp_path, 2, "--no-schedules", "--concurrency", "1") as made:
        job_id = enqueue(pool, "sleep", seconds=5)
        first = _holder(made, running(pool, job_id, "sleeping"))
        first.signal(signal.SIGSTOP)
        eventually(lambda: job(pool, job_id).token == 2, "another attempt to begin", 30)
        first.signal(signal.SIGCONT)
        eventually(lambda: "another attempt's now: nothing was written" in first.output, "it to be refused", 5)
        assert job(pool, job_id).status == "running"
        done = ended(pool, job_id)
        assert (done.status, done.attempt, done.token) == ("completed", 2, 2)
        [second] = [one for one in made if one is not first]
        assert done.result["pid"] in second.family()


def test_a_job_that_kills_its_workers_ends_as_failed(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A job that goes round for ever, killing worker after worker."""
    job_id = enqueue(pool, "kills_worker")
    for _ in range(2):
        with workers(application_dsn, tmp_path, 1, "--no-schedules") as [one]:
            one.process.wait(30)
    with workers(application_dsn, tmp_path, 1, "--no-schedules") as [one]:
        done = ended(pool, job_id)
        assert one.process.poll() is None
    assert (done.status, done.attempt) == ("failed", 2)
    assert done.error is not None
    assert done.error["kind"] == "worker_lost"
    assert "attempt 2 of 2" in done.error["message"]


def test_the_children_of_a_killed_worker_die(pool: Pool, worker: WorkerProcess) -> None:
    """Orphans that go on working."""
    running(pool, enqueue(pool, "deaf"), "deaf")
    family = worker.family()
    assert len(family) >= 2
    os.kill(worker.pid, signal.SIGKILL)
    worker.process.wait()
    eventually(lambda: not any(alive(pid) for pid in family), "its children to end", 5)


def test_priorities_and_times_hold(effects: Pool, application_dsn: str, tmp_path: Path) -> None:
    """First come, first served, whatever was asked."""
    with effects.connection() as connection:
        later = connection.execute("select clock_timestamp() + interval '3 seconds'").fetchone()[0]  # type: ignore[index]
        JOBS.enqueue(connection, "effect", {"n": 9}, run_after=later, priority=100)
        for n, priority in ((1, 0), (2, 5), (3, -5), (4, 50)):
            JOBS.enqueue(connection, "effect", {"n": n}, priority=priority)
    with workers(application_dsn, tmp_path, 1, "--no-schedules", "--concurrency", "1"):
        eventually(lambda: len(_order(effects)) == 5, "all to be done")
    assert _order(effects) == [4, 2, 1, 3, 9]


def _order(pool: Pool) -> list[int]:
    with pool.connection() as connection:
        return [row[0] for row in connection.execute("select n from effects order by at").fetchall()]
