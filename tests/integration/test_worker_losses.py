"""Workers, guards, handlers and databases that freeze, hang, break and are killed: what is true stays true."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.freezing import frozen
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
from tests.pooler import pooled
from tipoff.cli.worker import working
from tipoff.domain.job import Job
from tipoff.jobs.deployment import Deployment
from tipoff.settings import Settings
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.lease import LeaseStore
from tipoff.storage.pool import Pool


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


def test_a_guard_that_hangs_is_ended(pool: Pool, worker: WorkerProcess) -> None:
    """A job that can be neither cancelled nor ended by its time limit because its guard does not answer."""
    job_id = enqueue(pool, "sleep", seconds=100)
    running(pool, job_id, "sleeping")
    [guard] = guards(worker)
    os.kill(guard, signal.SIGSTOP)
    with pool.connection() as connection:
        JOBS.cancel(connection, job_id)
    assert ended(pool, job_id, 10).status == "cancelled"
    slow = enqueue(pool, "timeout")
    eventually(lambda: job(pool, slow).status == "running", "it to run")
    for pid in eventually(lambda: guards(worker), "a guard"):
        os.kill(pid, signal.SIGSTOP)
    done = ended(pool, slow, 15)
    assert done.error is not None
    assert (done.status, done.error["kind"]) == ("failed", "timeout")
    assert ended(pool, enqueue(pool, "nothing")).status == "completed"


@pytest.mark.parametrize("whom", ["guard", "both"])
def test_nothing_outlives_what_was_killed(
    pool: Pool, application_dsn: str, tmp_path: Path, worker: WorkerProcess, whom: str
) -> None:
    """Processes that a handler started and that nobody knows any more."""
    job_id = enqueue(pool, "busy_family")
    eventually(lambda: " " in job(pool, job_id).message, "it to have children")
    started = [int(pid) for pid in job(pool, job_id).message.split()]
    [guard] = guards(worker)
    for pid in [worker.pid, guard] if whom == "both" else [guard]:
        os.kill(pid, signal.SIGKILL)
    if whom == "guard":
        assert (ended(pool, job_id).error or {})["kind"] == "killed"
        eventually(lambda: not any(alive(pid) for pid in started), "its children to end", 5)
    else:
        with workers(application_dsn, tmp_path, 1, "--no-schedules"):
            eventually(lambda: not any(alive(pid) for pid in started), "the next worker to end them", 5)


def test_a_frozen_transaction_holds_nobody_up(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """An attempt frozen between a write and its commit, whose locks keep every lost job from being taken over."""
    with workers(application_dsn, tmp_path, 2, "--no-schedules", "--concurrency", "2") as made:
        held = enqueue(pool, "holds_its_step")
        first = _holder(made, running(pool, held, "holding"))
        first.signal(signal.SIGSTOP, children=True)
        done = ended(pool, held, 15)
        assert (done.status, done.attempt) == ("completed", 2)
        [second] = [one for one in made if one is not first]
        assert "the database is away" not in second.output


def test_a_worker_that_takes_its_own_job_over_keeps_it(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """The end of an old attempt that makes the worker forget the new one, which is then lost in turn."""
    with workers(application_dsn, tmp_path, 1, "--no-schedules", "--concurrency", "1") as [one]:
        job_id = enqueue(pool, "sleep", seconds=3)
        running(pool, job_id, "sleeping")
        one.signal(signal.SIGSTOP)
        eventually(lambda: _lease_over(pool, job_id), "its lease to end", 20)
        one.signal(signal.SIGCONT)
        done = ended(pool, job_id)
        assert (done.status, done.attempt, done.token) == ("completed", 2, 2)
        assert len(re.findall(r"its worker \S+ was lost", one.output)) == 1


def _lease_over(pool: Pool, job_id: uuid.UUID) -> bool:
    with pool.connection() as connection:
        row = connection.execute(
            "select lease_until < clock_timestamp() from job_queue where id = %s", (job_id,)
        ).fetchone()
    return bool(row and row[0])


def test_a_broken_loop_ends_the_worker(
    pool: Pool, application_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that waits for ever to write what nobody writes any more, and cannot even be told to stop."""
    looks = itertools.count()
    plain = LeaseStore.look

    async def broken(*arguments: Any) -> Any:
        if next(looks) == 3:
            raise RuntimeError("a bug")
        return await plain(*arguments)

    monkeypatch.setattr(LeaseStore, "look", broken)
    told = Deployment(application_dsn, application_dsn, Settings(TIPOFF_HOME=tmp_path))  # type: ignore[call-arg]
    with pool.connection() as connection:
        JOBS.enqueue_many(connection, "nothing", [{}] * 3000)
    begun = time.monotonic()
    with pytest.raises(RuntimeError, match="a bug"), working(told, JOBS.types, 4, schedules=False):
        time.sleep(30)
    assert time.monotonic() - begun < 20


def test_work_through_a_transaction_pooler(
    pool: Pool, server: PrivatePostgres, dsn: str, application_dsn: str, tmp_path: Path
) -> None:
    """A worker that relies on NOTIFY, on a session, or that waits for ever for a server behind a pooler."""
    with pooled(application_dsn) as address:
        arguments = ("--no-schedules", "--concurrency", "2", "--grace", "0")
        with workers(address, tmp_path, 1, *arguments, TIPOFF_OWNER_DATABASE_URL=dsn) as [one]:
            for _ in range(5):
                assert ended(pool, enqueue(pool, "sleep", seconds=0.1), 10).status == "completed"
            assert ended(pool, enqueue(pool, "passing"), 10).status == "completed"
            job_id = enqueue(pool, "sleep", seconds=60)
            running(pool, job_id, "sleeping")
            with pool.connection() as connection:
                JOBS.cancel(connection, job_id)
            assert ended(pool, job_id).status == "cancelled"
            with frozen(server):
                eventually(lambda: "the database is away" in one.output, "it to notice", 20)
                one.process.send_signal(signal.SIGTERM)
                assert one.process.wait(30) == 0


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
        eventually(lambda: order(effects), "it to write")
        frozen = first.family()
        [handler] = [pid for pid in frozen if pid not in guards(first)]
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
