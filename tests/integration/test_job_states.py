"""The engine's transitions against a model, in any order that Hypothesis can think of."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import uuid
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg.types.json import Jsonb

from tests.jobs import JOBS
from tipoff.domain.job import JobStatus
from tipoff.errors import InputError
from tipoff.storage import jobs, transitions

ERROR = {"kind": "x", "message": "y", "where": "z"}
MAX_ATTEMPTS = 3
ENDS = ("complete", "fail", "give up", "cancelled", "release", "log")


@dataclasses.dataclass
class Expected:
    """What a job must look like."""

    status: str = "pending"
    attempt: int = 0
    token: int = 0
    asked: bool = False
    over: bool = False


class Engine(RuleBasedStateMachine):
    """Jobs are claimed, renewed, ended, lost and stolen; the model says what must be true after each."""

    connection: psycopg.Connection[Any]

    def __init__(self) -> None:
        super().__init__()
        self.connection.execute("delete from job_queue")
        self.jobs: dict[uuid.UUID, Expected] = {}
        self.claims: list[tuple[uuid.UUID, int]] = []

    @rule(priority=st.integers(-3, 3))
    def enqueue(self, priority: int) -> None:
        """A job waits."""
        if len(self.jobs) < 6:
            self.jobs[JOBS.enqueue(self.connection, "nothing", priority=priority).id] = Expected()

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        """The next ones run."""
        waiting = {job_id for job_id, e in self.jobs.items() if e.status == "pending"}
        rows = self.connection.execute(
            transitions.CLAIM, {"types": ["nothing"], "limit": limit, "worker": "w", "lease": 1000}
        ).fetchall()
        assert len(rows) == min(limit, len(waiting))
        for row in rows:
            found = jobs.get(self.connection, row[0])
            assert found is not None
            assert found.id in waiting
            e = self.jobs[found.id]
            e.status, e.attempt, e.token, e.over = "running", e.attempt + 1, e.token + 1, False
            assert (found.attempt, found.token) == (e.attempt, e.token)
            self.claims.append((found.id, found.token))

    def _held(self, pick: int) -> tuple[dict[str, Any], Expected, bool]:
        job_id, token = self.claims[pick % len(self.claims)]
        e = self.jobs[job_id]
        return {"id": job_id, "token": token}, e, e.status == "running" and e.token == token and not e.over

    @precondition(lambda self: self.claims)
    @rule(pick=st.integers(0, 50))
    def beat(self, pick: int) -> None:
        """Any attempt there ever was renews; only the one that holds the job may."""
        held, e, ours = self._held(pick)
        rows = self.connection.execute(
            transitions.BEAT,
            {"lease": 1000, "ids": [held["id"]], "tokens": [held["token"]], "progress": [5.0], "messages": ["on"]},
        ).fetchall()
        assert rows == ([(held["id"], e.asked)] if ours else [])

    @precondition(lambda self: self.claims)
    @rule(
        pick=st.integers(0, 50), how=st.sampled_from(["complete", "fail", "give up", "cancelled", "release", "log"])
    )
    def end(self, pick: int, how: str) -> None:
        """Any attempt there ever was ends its job."""
        held, e, ours = self._held(pick)
        statement, values, status, attempt = {
            "complete": (transitions.COMPLETE, {"result": Jsonb(1), "message": ""}, "completed", e.attempt),
            "fail": (
                transitions.FAIL,
                {"error": Jsonb(ERROR), "transient": True, "message": "", "backoff": 0.0, "backoff_cap": 0.0},
                "cancelled" if e.asked else "pending" if e.attempt < MAX_ATTEMPTS else "failed", e.attempt,
            ),
            "give up": (
                transitions.FAIL,
                {"error": Jsonb(ERROR), "transient": False, "message": "", "backoff": 0.0, "backoff_cap": 0.0},
                "cancelled" if e.asked else "failed", e.attempt,
            ),
            "cancelled": (transitions.CANCELLED, {}, "cancelled", e.attempt),
            "release": (transitions.RELEASE, {}, "cancelled" if e.asked else "pending", e.attempt - 1),
            "log": (transitions.LOG, {"numbers": [0], "lines": ["a line"]}, "running", e.attempt),
        }[how]  # fmt: skip
        done = self.connection.execute(statement.encode(), {**held, **values})
        if how == "log":
            ours = ours or (e.status == "completed" and e.token == held["token"])
            assert done.rowcount in ((0, 1) if ours else (0,))
            return
        ours = ours and (how != "cancelled" or e.asked)
        assert len(done.fetchall()) == ours
        if ours:
            e.status, e.attempt = status, attempt

    @precondition(lambda self: self.claims)
    @rule(pick=st.integers(0, 50))
    def expire(self, pick: int) -> None:
        """A worker is lost."""
        held, e, ours = self._held(pick)
        if ours:
            self.connection.execute(
                "update job_queue set lease_until = clock_timestamp() - interval '1 s' where id = %(id)s", held
            )
            e.over = True

    @rule()
    def reap(self) -> None:
        """What was lost waits again, or has failed, or is cancelled."""
        lost = {job_id for job_id, e in self.jobs.items() if e.status == "running" and e.over}
        found = self.connection.execute(transitions.EXPIRED).fetchall()
        rows = [self.connection.execute(transitions.REAP, {"id": job_id}).fetchone() for job_id, _ in found]
        assert None not in rows
        assert {row[0] for row in rows if row} == lost
        for job_id in lost:
            e = self.jobs[job_id]
            e.status = "cancelled" if e.asked else "pending" if e.attempt < MAX_ATTEMPTS else "failed"

    @precondition(lambda self: self.jobs)
    @rule(pick=st.integers(0, 50))
    def cancel(self, pick: int) -> None:
        """Asked of any job."""
        job_id = list(self.jobs)[pick % len(self.jobs)]
        e = self.jobs[job_id]
        if e.status in ("pending", "running"):
            JOBS.cancel(self.connection, job_id)
            e.asked = True
            e.status = "cancelled" if e.status == "pending" else "running"
        else:
            with pytest.raises(InputError):
                JOBS.cancel(self.connection, job_id)

    @precondition(lambda self: self.jobs)
    @rule(pick=st.integers(0, 50))
    def retry(self, pick: int) -> None:
        """Asked of any job."""
        job_id = list(self.jobs)[pick % len(self.jobs)]
        e = self.jobs[job_id]
        if e.status in ("failed", "cancelled"):
            JOBS.retry(self.connection, job_id)
            e.status, e.attempt, e.asked = "pending", 0, False
        else:
            with pytest.raises(InputError):
                JOBS.retry(self.connection, job_id)

    steps = 0

    @invariant()
    def counted(self) -> None:
        """How many steps there were in all."""
        Engine.steps += 1

    @invariant()
    def the_database_says_the_same(self) -> None:
        """No state that the model does not know."""
        found = {one.id: one for one in JOBS.listed(self.connection, limit=100)}
        assert set(found) == set(self.jobs)
        for job_id, e in self.jobs.items():
            job = found[job_id]
            assert (job.status, job.attempt, job.token) == (e.status, e.attempt, e.token)
            assert (job.cancel_requested_at is not None) == e.asked
            assert (job.finished_at is not None) == JobStatus(e.status).final


def test_no_illegal_transition(application_dsn: str) -> None:
    """An order of events that nobody thought of."""
    with contextlib.closing(psycopg.connect(application_dsn, autocommit=True, prepare_threshold=None)) as connection:
        Engine.connection = connection
        chaos = bool(os.environ.get("TIPOFF_CHAOS"))
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Engine,
            settings=settings(
                max_examples=600 if chaos else 200, stateful_step_count=50, deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
    print(f"{Engine.steps} steps")
    assert Engine.steps >= (10_000 if chaos else 1_000)
