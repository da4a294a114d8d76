"""The service's commands, each inside the caller's transaction, on real Postgres."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import uuid

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.jobs import JOBS, enqueue, eventually, job
from tipoff.domain.job import JobStatus
from tipoff.errors import InputError, TipoffError
from tipoff.jobs import schedule
from tipoff.storage import jobs, schedules, transitions
from tipoff.storage.pool import Connection, Pool, open_pool


def test_two_hundred_requests_for_a_pipeline_make_one(pool: Pool, application_dsn: str) -> None:
    """Two pipelines that double each other."""
    found: list[tuple[uuid.UUID, bool]] = []
    failures: list[Exception] = []
    start = threading.Barrier(200)

    def ask(own: Pool) -> None:
        try:
            start.wait()
            with own.connection() as connection:
                made = JOBS.enqueue(connection, "data_pipeline", {"history_days": 3})
            found.append((made.id, made.new))
        except (psycopg.Error, TipoffError, threading.BrokenBarrierError) as error:
            failures.append(error)

    with contextlib.closing(open_pool(application_dsn, max_size=45)) as own:
        threads = [threading.Thread(target=ask, args=(own,)) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    assert len(found) == 200
    assert len({job_id for job_id, _ in found}) == 1
    assert sum(new for _, new in found) == 1
    with pool.connection() as connection:
        assert len(JOBS.listed(connection, limit=500)) == 1


def test_an_enqueue_belongs_to_its_transaction(pool: Pool) -> None:
    """A job for something that was rolled back."""
    with contextlib.suppress(RuntimeError), pool.connection() as connection:
        JOBS.enqueue(connection, "nothing")
        raise RuntimeError
    with pool.connection() as connection:
        assert JOBS.listed(connection) == []


def _claimed(connection: Connection, limit: int) -> list[uuid.UUID]:
    rows = connection.execute(
        transitions.CLAIM.encode(), {"types": ["nothing"], "limit": limit, "worker": "w", "lease": 1000}
    ).fetchall()
    return [row[0] for row in rows]


def test_nobody_waits_for_ever(pool: Pool) -> None:
    """Important jobs that come faster than they are done, and one that is not important behind them.

    The times are in the past, three important ones a minute, of which two are done.
    """
    with pool.connection() as connection:
        begun = schedules.now(connection) - dt.timedelta(hours=2)
        patient = JOBS.enqueue(connection, "nothing", run_after=begun, priority=0).id
        minute = 0
        done: list[uuid.UUID] = []
        while patient not in done:
            assert minute < 12, "it has not had its turn"
            for _ in range(3):
                JOBS.enqueue(
                    connection, "nothing", run_after=begun + dt.timedelta(minutes=minute, seconds=30), priority=5
                )
            done += _claimed(connection, 2)
            minute += 1
    assert minute >= 5


def test_a_failed_attempt_keeps_its_place(pool: Pool) -> None:
    """One that failed for a passing reason and waits again behind everybody who came later."""
    with pool.connection() as connection:
        first = JOBS.enqueue(connection, "nothing").id
        JOBS.enqueue_many(connection, "nothing", [{}] * 5)
        assert _claimed(connection, 1) == [first]
        error = {"kind": "x", "message": "y", "where": "z"}
        connection.execute(
            transitions.FAIL.encode(),
            {"id": first, "token": 1, "error": Jsonb(error), "transient": True, "message": "", "backoff": 0.0,
             "backoff_cap": 0.0},
        )  # fmt: skip
        assert _claimed(connection, 1) == [first]


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("magic", {}, "there is no job type 'magic'"),
        ("data_pipeline", {"history_days": -1}, "history_days: input should be greater than or equal to 0"),
        ("data_pipeline", {"days": 3}, "days: extra inputs are not permitted (it takes: history_days"),
        (
            "model_training",
            {"performance_threshold": "high"},
            "performance_threshold: input should be a valid number",
        ),
    ],
)
def test_bad_requests_say_what_is_wrong(pool: Pool, name: str, params: dict[str, object], message: str) -> None:
    """A job that fails an hour later for a typing error."""
    with pool.connection() as connection, pytest.raises(InputError, match=None) as caught:
        JOBS.enqueue(connection, name, params)
    assert message in str(caught.value)


def test_unknown_and_final_jobs(pool: Pool) -> None:
    """A cancel of nothing that reports success."""
    job_id = enqueue(pool, "nothing")
    with pool.connection() as connection:
        for call in (JOBS.cancel, JOBS.retry, JOBS.get):
            with pytest.raises(InputError, match="there is no job"):
                call(connection, uuid.uuid4())
        with pytest.raises(InputError, match="only failed and cancelled jobs are tried again"):
            JOBS.retry(connection, job_id)
        assert JOBS.cancel(connection, job_id).status == "cancelled"
        with pytest.raises(InputError, match="has ended already: cancelled"):
            JOBS.cancel(connection, job_id)
        back = JOBS.retry(connection, job_id)
        assert (back.status, back.cancel_requested_at, back.attempt) == ("pending", None, 0)
        assert JOBS.find(connection, str(job_id)[:8]).id == job_id
        with pytest.raises(InputError, match="names no job"):
            JOBS.find(connection, "zzzzzzzz")


def test_a_retry_never_makes_two_live_pipelines(pool: Pool) -> None:
    """A way around the index."""
    first = enqueue(pool, "only_one")
    with pool.connection() as connection:
        JOBS.cancel(connection, first)
    second = enqueue(pool, "only_one")
    assert second != first
    with pool.connection() as connection:
        with pytest.raises(InputError, match="another one of its type is live"):
            JOBS.retry(connection, first)
        JOBS.cancel(connection, second)
        assert JOBS.retry(connection, first).status == "pending"


def test_impossible_states_are_refused_by_the_database(pool: Pool) -> None:
    """A job that runs nowhere, failed for no reason, or was completed without a result."""
    job_id = enqueue(pool, "nothing")
    for change in (
        "status = 'running'", "status = 'completed'", "status = 'failed'", "status = 'cancelled'", "status = 'lost'",
        "status = 'failed', finished_at = now()", "status = 'completed', finished_at = now(), result = '1'",
        "worker = 'me'", "progress = 101", "attempt = 4", "result = '1'", "error = '{\"kind\": \"x\"}'",
        "status = 'running', worker = 'me', lease_until = now()",
        "status = 'cancelled', finished_at = now()",
    ):  # fmt: skip
        with pool.connection() as connection:
            assert refused(connection, f"update job_queue set {change}"), change
    assert job(pool, job_id).status == "pending"


def refused(connection: Connection, statement: str) -> bool:
    """Whether a CHECK refuses it."""
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except psycopg.errors.CheckViolation:
        return True
    return False


def test_two_pipelines_are_impossible_whoever_makes_them(pool: Pool) -> None:
    """A second pipeline with another key, or none."""
    with pool.connection() as connection:
        JOBS.enqueue(connection, "data_pipeline")
    for key, refusal in ((None, "CheckViolation"), ("other", "CheckViolation"), ("data_pipeline", "UniqueViolation")):
        with pytest.raises(getattr(psycopg.errors, refusal)), pool.connection() as connection:
            connection.execute(
                "insert into job_queue (type, rank, dedupe_key) values ('data_pipeline', 0, %s)", (key,)
            )


def test_cleanup_keeps_what_is_live_and_what_is_young(pool: Pool) -> None:
    """A cleanup that deletes running jobs, or everything."""
    ids = [enqueue(pool, "nothing") for _ in range(6)]
    with pool.connection() as connection:
        for job_id in ids[:5]:
            JOBS.cancel(connection, job_id)
        connection.execute(
            "update job_queue set finished_at = finished_at - interval '40 days' where id = any(%s)", (ids[:2],)
        )
        assert JOBS.cleanup(connection, days=30, keep=2) == 3
        left = {one.id for one in JOBS.listed(connection)}
    assert ids[5] in left
    assert len(left) == 3
    assert not left & set(ids[:2])


def test_statistics_and_pages(pool: Pool) -> None:
    """Counts that leave a type out, pages that repeat or skip."""
    with pool.connection() as connection:
        made = JOBS.enqueue_many(connection, "nothing", [{"n": n} for n in range(25)])
        JOBS.cancel(connection, made[0])
        connection.execute(
            "update job_queue set status = 'completed', started_at = now() - interval '4 s', finished_at = now(), "
            "result = '1', progress = 100, attempt = 1, token = 1 where id = any(%s)",
            (made[1:4],),
        )
    with pool.connection() as connection:
        [row] = JOBS.statistics(connection)
        seen: list[uuid.UUID] = []
        before = None
        while page := JOBS.listed(connection, limit=7, before=before):
            seen += [one.id for one in page]
            before = (page[-1].created_at, page[-1].id)
        done = JOBS.listed(connection, status=JobStatus.COMPLETED)
    assert (row["type"], row["pending"], row["completed"], row["cancelled"]) == ("nothing", 21, 3, 1)
    assert row["success_rate_24h"] == 1.0
    assert row["seconds_p50_24h"] == pytest.approx(4.0)
    assert len(seen) == len(set(seen)) == 25
    assert len(done) == 3


def test_what_looks_stuck_is_found(pool: Pool) -> None:
    """A job that sits there for ever and nobody sees it."""
    one, two, _ = [enqueue(pool, "nothing") for _ in range(3)]
    with pool.connection() as connection:
        connection.execute(transitions.CLAIM, {"types": ["nothing"], "limit": 3, "worker": "w", "lease": 100})
        connection.execute("update job_queue set lease_until = now() - interval '10 s' where id = %s", (one,))
        connection.execute("update job_queue set progress_at = now() - interval '300 s' where id = %s", (two,))
        found = {stuck.id: why for stuck, why in JOBS.stuck(connection)}
    assert found == {one: "lease over", two: "no progress"}


def test_steps_follow_their_job(pool: Pool) -> None:
    """A step that runs although its job has ended."""
    job_id = enqueue(pool, "nothing")
    with pool.connection() as connection:
        held = connection.execute(
            transitions.CLAIM, {"types": ["nothing"], "limit": 1, "worker": "w", "lease": -1}
        ).fetchone()
        assert held is not None
        jobs.plan_steps(connection, job_id, ["one", "two", "three"])
        jobs.begin_step(connection, job_id, "one")
        jobs.end_step(connection, job_id, "one", (1, 2), {"found": 3})
        jobs.begin_step(connection, job_id, "two")
        connection.execute(transitions.REAP, {"id": job_id})
        assert [s.status for s in jobs.steps(connection, job_id)] == ["completed", "pending", "pending"]
        JOBS.cancel(connection, job_id)
        assert [s.status for s in jobs.steps(connection, job_id)] == ["completed", "cancelled", "cancelled"]
        JOBS.retry(connection, job_id)
        assert [s.status for s in jobs.steps(connection, job_id)] == ["completed", "pending", "pending"]
        assert jobs.begin_step(connection, job_id, "one") is None


def test_heartbeats_stay_heap_only(pool: Pool, owner: psycopg.Connection[tuple[object, ...]]) -> None:
    """An index on a column that every heartbeat writes."""
    enqueue(pool, "nothing")
    with pool.connection() as connection:
        row = connection.execute(
            transitions.CLAIM, {"types": ["nothing"], "limit": 1, "worker": "w", "lease": 60}
        ).fetchone()
        assert row is not None
    beat = {"lease": 60, "ids": [row[0]], "tokens": [1], "progress": [5.0], "messages": ["on"]}
    for _ in range(200):
        with pool.connection() as connection:
            connection.execute(transitions.BEAT, beat)
    pool.close()

    def counted() -> tuple[int, int]:
        [found] = owner.execute(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'job_queue'"
        ).fetchall()
        return int(str(found[0])), int(str(found[1]))

    eventually(lambda: counted()[0] >= 200, "what the sessions did to be counted as they end")
    updated, hot = counted()
    assert hot >= 0.9 * updated


def test_schedules_are_edited_and_checked(pool: Pool) -> None:
    """A schedule that can never fire."""
    with pool.connection() as connection:
        schedule.install(connection)
        changed = schedule.edit(connection, JOBS, "refresh", cron="*/7 * * * *", enabled=False)
        schedule.install(connection)
        found = {one.name: one for one in schedule.schedules.listed(connection)}
        assert (found["refresh"].cron, found["refresh"].enabled) == (changed.cron, False)
        assert len(found) == len(schedule.DEFAULTS)
        for bad, message in (
            ({"name": "refresh", "cron": "61 * * * *"}, "is no cron expression"),
            ({"name": "mine"}, "there is no schedule 'mine'"),
            ({"name": "mine", "job_type": "magic", "cron": "* * * * *"}, "there is no job type 'magic'"),
            ({"name": "refresh", "params": {"x": 1}}, "extra inputs are not permitted"),
        ):
            with pytest.raises(InputError, match=message):
                schedule.edit(connection, JOBS, **bad)  # type: ignore[arg-type]
