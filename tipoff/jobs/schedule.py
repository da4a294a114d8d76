"""What runs by itself, and when: cron in UTC by `cronsim`, on the database's clock."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Any

import psycopg
from cronsim import CronSim, CronSimError

from tipoff.errors import InputError
from tipoff.jobs.service import JobService
from tipoff.jobs.types import JobType
from tipoff.storage import schedules
from tipoff.storage.lease import LeaseStore
from tipoff.storage.pool import Connection
from tipoff.storage.schedules import Schedule

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
COUNTED = 100_000
"""missed ticks are counted up to that many"""
Default = tuple[str, str, dict[str, Any], str]
"""name, job type, its parameters, cron"""
DEFAULTS: tuple[Default, ...] = (
    ("refresh", "quick_data_refresh", {}, "*/3 * * * *"),
    ("predictions", "prediction_generation", {"return_predictions": False, "require_model": False}, "* * * * *"),
    ("ledger verification", "ledger_verification", {}, "7 * * * *"),
    ("track record", "track_record", {}, "*/10 * * * *"),
    ("nightly training", "model_training", {}, "15 4 * * *"),
    ("daily review", "health_review", {}, "0 6 * * *"),
    ("weekly cleanup", "cleanup", {}, "30 3 * * 0"),
    ("monthly review", "model_review", {}, "0 5 1 * *"),
    ("quarterly care", "database_care", {}, "0 2 1 1,4,7,10 *"),
    ("outbox", "outbox_delivery", {}, "* * * * *"),
)
DETAILS: Default = ("match details", "match_details", {}, "*/10 * * * *")
"""installed where TIPOFF_MATCH_DETAILS is true"""


def next_tick(cron: str, after: dt.datetime) -> dt.datetime:
    """The first moment after `after`; raises InputError where `cron` is none."""
    try:
        return next(CronSim(cron, after.astimezone(dt.UTC)))
    except (CronSimError, StopIteration) as error:
        raise InputError(
            f"{cron!r} is no cron expression (five fields in UTC, six with seconds first): {error}"
        ) from error


def in_words(cron: str) -> str:
    """When that is.

    >>> in_words("0 2 1 1,4,7,10 *")
    'At 02:00 on the first day of January, April, July, and October'
    >>> in_words("often")
    'Never: this is no cron expression'
    """
    try:
        return CronSim(cron, BEGIN).explain()
    except CronSimError:
        return "Never: this is no cron expression"


def due_ticks(cron: str, first: dt.datetime, now: dt.datetime) -> tuple[dt.datetime, int, dt.datetime]:
    """(the newest tick until `now`, how many from `first` on came before it, the next one)."""
    newest = first
    if next_tick(cron, first) <= now:
        newest = next(CronSim(cron, now.astimezone(dt.UTC) + dt.timedelta(microseconds=1), reverse=True))
    between = itertools.takewhile(lambda tick: tick < newest, CronSim(cron, first.astimezone(dt.UTC)))
    missed = sum(1 for _ in itertools.islice(between, COUNTED)) + (newest > first)
    return newest, missed, next_tick(cron, now)


def install(connection: Connection, details: bool = False) -> None:
    """Add the default schedules (and that of `details`) that are not there; what an operator has edited stays."""
    at = schedules.now(connection)
    for name, job_type, params, cron in (*DEFAULTS, *((DETAILS,) if details else ())):
        new = Schedule(name, job_type, params, cron, True, 0, next_tick(cron, at), None, "", None)
        schedules.add(connection, new, replace=False)


def skip_missed(connection: Connection) -> None:
    """Begin afresh: every schedule fires next at its next tick from now."""
    at = schedules.now(connection)
    for one in schedules.listed(connection):
        schedules.move(connection, one.name, next_tick(one.cron, at))


def edit(
    connection: Connection, service: JobService, name: str, *, job_type: str | None = None,
    params: Mapping[str, Any] | None = None, cron: str | None = None, enabled: bool | None = None,
) -> Schedule:  # fmt: skip
    """Change a schedule, or add one (then `job_type` and `cron` are needed); raises InputError on bad values."""
    old = next((s for s in schedules.listed(connection) if s.name == name), None)
    if old is None and (job_type is None or cron is None):
        raise InputError(f"there is no schedule {name!r}; to add one, give its type and its cron expression")
    kind = service.type_of(job_type or (old.type if old else ""))
    given = params if params is not None else (old.params if old and old.type == kind.name else {})
    when = cron or (old.cron if old else "")
    on = enabled if enabled is not None else (old.enabled if old else True)
    new = Schedule(
        name, kind.name, kind.checked(given), when, on,
        old.priority if old else 0, next_tick(when, schedules.now(connection)), None, "", None,
    )  # fmt: skip
    schedules.add(connection, new, replace=True)
    return new


async def fire_due(store: LeaseStore, types: Mapping[str, JobType]) -> list[str]:
    """Enqueue what is due, each tick by one worker alone; returns sentences on what was done.

    Ticks that were missed while nobody worked fire once. Where a job of the schedule is still live the tick is
    skipped, and says so. Types that are not known here are left to workers that know them. A schedule that cannot
    fire (somebody wrote nonsense into its row) is switched off, says why, and holds up no other.
    """
    said = []
    async with store.transaction() as connection:
        for schedule, now in await schedules.take_due(connection, list(types)):
            try:
                async with connection.transaction():
                    await schedules.wait_briefly(connection)
                    said.append(await _fire(connection, store.worker, schedule, now, types[schedule.type]))
            except psycopg.errors.LockNotAvailable:
                continue  # somebody is just enqueuing that job: the next look will see it live
            except psycopg.errors.UniqueViolation:
                await schedules.passed_over(connection, schedule, next_tick(schedule.cron, now), "fired before")
                said.append(f"schedule {schedule.name}: this tick had fired before")
            except InputError as error:
                await schedules.switched_off(connection, schedule, str(error))
                said.append(f"schedule {schedule.name} is switched off: {error}")
    return said


async def _fire(connection: Any, worker: str, schedule: Schedule, now: dt.datetime, job_type: JobType) -> str:
    """Raises InputError where its cron expression or parameters are wrong."""
    tick, missed, next_at = due_ticks(schedule.cron, schedule.next_at, now)
    job, reason = await _enqueue(connection, schedule, job_type)
    await schedules.fired(connection, schedule, tick, next_at, missed, worker, job, reason)
    late = f", {missed} missed" if missed else ""
    return f"schedule {schedule.name} {tick:%H:%M:%S}{late}: {reason or 'enqueued'}"


async def _enqueue(connection: Any, schedule: Schedule, job_type: JobType) -> tuple[tuple[Any, bool], str]:
    values = {
        "type": schedule.type, "params": job_type.checked(schedule.params), "priority": schedule.priority,
        "run_after": None, "max_attempts": job_type.max_attempts, "requested_by": f"schedule {schedule.name}",
        "parent": None, "request_id": None,
        "dedupe_key": schedule.type if job_type.single else f"schedule {schedule.name}",
    }  # fmt: skip
    job = await schedules.enqueue(connection, values)
    return job, "" if job[1] else f"job {job[0]} is still live"
