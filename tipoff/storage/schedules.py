"""The table of schedules and the ticks that fired; a due schedule is taken by one worker at a time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tipoff.storage import transitions
from tipoff.storage.lease import Async
from tipoff.storage.pool import Connection

COLUMNS = "name, type, params, cron, enabled, priority, next_at, last_at, last_outcome, last_job"
TRIES = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """A row of job_schedules; `cron` is in UTC, five fields or six with seconds first."""

    name: str
    type: str
    params: dict[str, Any]
    cron: str
    enabled: bool
    priority: int
    next_at: dt.datetime
    last_at: dt.datetime | None
    last_outcome: str
    last_job: uuid.UUID | None


def listed(connection: Connection) -> list[Schedule]:
    """Every schedule by name."""
    return [
        Schedule(*row) for row in connection.execute(f"select {COLUMNS} from job_schedules order by name".encode())
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class LastJob:
    """What a schedule's newest job says, without its result."""

    job_id: uuid.UUID
    status: str
    message: str
    finished_at: dt.datetime | None


def with_last_jobs(connection: Connection) -> list[tuple[Schedule, LastJob | None]]:
    """Every schedule by name, with the job that it started last as long as that is kept."""
    ours = ", ".join(f"s.{name}" for name in COLUMNS.split(", "))
    rows = connection.execute(
        f"select j.id, j.status, j.message, j.finished_at, {ours} from job_schedules s "
        "left join job_queue j on j.id = s.last_job order by s.name".encode()
    ).fetchall()
    return [(Schedule(*row[4:]), LastJob(*row[:4]) if row[0] else None) for row in rows]


def now(connection: Connection) -> dt.datetime:
    """The database's clock, by which schedules go."""
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101
    moment: dt.datetime = row[0]
    return moment


def add(connection: Connection, schedule: Schedule, replace: bool) -> None:
    """Add a schedule; one with its name stays as it is, or is replaced."""
    then = (
        "do update set type = excluded.type, params = excluded.params, cron = excluded.cron, "
        "enabled = excluded.enabled, priority = excluded.priority, next_at = excluded.next_at, "
        "edited_at = clock_timestamp()"
    )
    connection.execute(
        "insert into job_schedules (name, type, params, cron, enabled, priority, next_at) "
        f"values (%s, %s, %s, %s, %s, %s, %s) on conflict (name) {then if replace else 'do nothing'}".encode(),
        (schedule.name, schedule.type, Jsonb(schedule.params), schedule.cron, schedule.enabled, schedule.priority,
         schedule.next_at),
    )  # fmt: skip


def remove(connection: Connection, name: str) -> bool:
    """Forget a schedule and its ticks; False where there is none."""
    return connection.execute("delete from job_schedules where name = %s", (name,)).rowcount == 1


def move(connection: Connection, name: str, next_at: dt.datetime) -> None:
    """Let a schedule fire next at that time."""
    connection.execute("update job_schedules set next_at = %s where name = %s", (next_at, name))


def forget_ticks(connection: Connection, days: float) -> int:
    """Delete ticks older than that."""
    return connection.execute(
        "delete from schedule_ticks where fired_at < clock_timestamp() - make_interval(secs => 86400 * %s)", (days,)
    ).rowcount


async def take_due(connection: Async, types: Sequence[str]) -> list[tuple[Schedule, dt.datetime]]:
    """Schedules of these types that are due, locked until the transaction ends, with the database's time."""
    cursor = await connection.execute(
        f"select {COLUMNS}, clock_timestamp() from job_schedules where enabled and next_at <= clock_timestamp() "
        "and type = any(%s) order by next_at limit 20 for update skip locked".encode(), (list(types),),
    )  # fmt: skip
    return [(Schedule(*row[:-1]), row[-1]) for row in await cursor.fetchall()]


async def enqueue(connection: Async, values: dict[str, Any]) -> tuple[uuid.UUID, bool]:
    """As `jobs.enqueue`: (id, new)."""
    for _ in range(TRIES):
        cursor = await connection.execute(transitions.ENQUEUE, {**values, "params": Jsonb(values["params"])})
        row = await cursor.fetchone()
        if row is not None:
            return row[0], row[1]
    raise psycopg.errors.LockNotAvailable(f"no {values['type']} could be enqueued: jobs with its key come and go")


async def wait_briefly(connection: Async) -> None:
    """Until the transaction ends, no lock is waited for longer than half a second."""
    await connection.execute(transitions.WAIT_BRIEFLY)


async def passed_over(connection: Async, schedule: Schedule, next_at: dt.datetime, outcome: str) -> None:
    """A tick that is not fired; the next one is at `next_at`."""
    await connection.execute(
        "update job_schedules set next_at = %s, last_outcome = %s where name = %s", (next_at, outcome, schedule.name)
    )


async def switched_off(connection: Async, schedule: Schedule, why: str) -> None:
    """It does not fire any more until it is edited."""
    await connection.execute(
        "update job_schedules set enabled = false, last_outcome = %s where name = %s",
        (f"switched off: {why}"[:500], schedule.name),
    )


async def fired(
    connection: Async, schedule: Schedule, tick: dt.datetime, next_at: dt.datetime, missed: int, worker: str,
    job: tuple[uuid.UUID, bool] | None, reason: str,
) -> None:  # fmt: skip
    """Write down what became of a tick, and when the next one is."""
    outcome = "enqueued" if job is not None and job[1] else "skipped"
    await connection.execute(
        "insert into schedule_ticks (schedule, tick, outcome, reason, missed, job_id, worker) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (schedule.name, tick, outcome, reason, missed, job[0] if job else None, worker),
    )
    await connection.execute(
        "update job_schedules set next_at = %s, last_at = %s, last_outcome = %s, last_job = %s where name = %s",
        (next_at, tick, f"{outcome}: {reason}" if reason else outcome, job[0] if job else None, schedule.name),
    )
