"""The queue as commands and handlers see it; what the engine does to it is in `lease`."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from tipoff.domain.job import JOB_COLUMNS, STEP_COLUMNS, Job, JobStatus, Step, job_of, step_of
from tipoff.storage import transitions
from tipoff.storage.pool import Connection


def enqueue(connection: Connection, values: Mapping[str, Any]) -> tuple[uuid.UUID, bool] | None:
    """Add a job in the caller's transaction: (id, new), or None where a live one with its key ended meanwhile."""
    row = connection.execute(transitions.ENQUEUE, {**values, "params": Jsonb(values["params"])}).fetchone()
    return None if row is None else (row[0], row[1])


def enqueue_many(connection: Connection, values: Mapping[str, Any]) -> list[uuid.UUID]:
    """Add many jobs of one type; `params` is a list of them."""
    listed = [Jsonb(params) for params in values["params"]]
    return [row[0] for row in connection.execute(transitions.ENQUEUE_MANY, {**values, "params": listed}).fetchall()]


def get(connection: Connection, job_id: uuid.UUID) -> Job | None:
    """The job as it is now."""
    row = connection.execute(f"select {JOB_COLUMNS} from job_queue where id = %s".encode(), (job_id,)).fetchone()
    return None if row is None else job_of(row)


def starting_with(connection: Connection, prefix: str) -> list[uuid.UUID]:
    """Up to two jobs whose id begins so."""
    rows = connection.execute(
        "select id from job_queue where starts_with(id::text, %s) limit 2", (prefix.lower(),)
    ).fetchall()
    return [row[0] for row in rows]


def listed(
    connection: Connection, status: JobStatus | None, job_type: str | None, limit: int,
    before: tuple[dt.datetime, uuid.UUID] | None = None,
) -> list[Job]:  # fmt: skip
    """Jobs, newest first; `before` is (created_at, id) of the last one seen."""
    rows = connection.execute(
        f"""
        select {JOB_COLUMNS} from job_queue
        where (%(status)s::text is null or status = %(status)s) and (%(type)s::text is null or type = %(type)s)
          and (%(at)s::timestamptz is null or created_at < %(at)s or (created_at = %(at)s and id > %(id)s::uuid))
        order by created_at desc, id limit %(limit)s
        """.encode(),
        {"status": status.value if status else None, "type": job_type, "limit": limit,
         "at": before[0] if before else None, "id": before[1] if before else None},
    ).fetchall()  # fmt: skip
    return [job_of(row) for row in rows]


def ended_after(connection: Connection, moment: dt.datetime) -> list[Job]:
    """Jobs that ended after `moment`, in order."""
    rows = connection.execute(
        f"select {JOB_COLUMNS} from job_queue where finished_at > %s order by finished_at, id limit 200".encode(),
        (moment,),
    ).fetchall()
    return [job_of(row) for row in rows]


def cancel(connection: Connection, job_id: uuid.UUID) -> Job | None:
    """Cancel what waits, ask what runs to stop; None where it is unknown or final."""
    row = connection.execute(transitions.CANCEL, {"id": job_id}).fetchone()
    return None if row is None else job_of(row[:-1])


def retry(connection: Connection, job_id: uuid.UUID) -> Job | None:
    """Let a failed or cancelled job wait again; None where it is neither."""
    row = connection.execute(transitions.RETRY, {"id": job_id}).fetchone()
    return None if row is None else job_of(row[:-1])


def cleanup(connection: Connection, days: float, keep: int) -> int:
    """Delete final jobs beyond `days` of age or beyond the newest `keep`."""
    row = connection.execute(transitions.CLEANUP, {"days": days, "keep": keep}).fetchone()
    return int(row[0]) if row else 0


def statistics(connection: Connection) -> list[dict[str, Any]]:
    """The view job_statistics, a dict a type."""
    cursor = connection.execute("select * from job_statistics order by type")
    names = [column.name for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def ended_by_type(connection: Connection, days: float) -> list[dict[str, Any]]:
    """Of the last days, by type: how many ended and failed, and how long (seconds) those took that completed."""
    rows = connection.execute(
        """
        select type, count(*)::int, (count(*) filter (where status = 'failed'))::int,
          percentile_cont(0.5) within group (order by extract(epoch from finished_at - started_at))
            filter (where status = 'completed'),
          percentile_cont(0.95) within group (order by extract(epoch from finished_at - started_at))
            filter (where status = 'completed')
        from job_queue where finished_at > clock_timestamp() - make_interval(secs => 86400 * %s)
        group by type order by type
        """,
        (days,),
    ).fetchall()
    names = ("type", "ended", "failed", "seconds_p50", "seconds_p95")
    return [dict(zip(names, row, strict=True)) for row in rows]


def stuck(connection: Connection, grace: float, silent: float) -> list[tuple[Job, str]]:
    """Running jobs whose lease has been over for `grace` seconds, or without progress for `silent` seconds."""
    rows = connection.execute(
        f"""
        select {JOB_COLUMNS},
          case when lease_until < clock_timestamp() - make_interval(secs => %(grace)s) then 'lease over'
            else 'no progress' end
        from job_queue where status = 'running'
          and (lease_until < clock_timestamp() - make_interval(secs => %(grace)s)
            or progress_at < clock_timestamp() - make_interval(secs => %(silent)s))
        order by started_at
        """.encode(),
        {"grace": grace, "silent": silent},
    ).fetchall()
    return [(job_of(row[:-1]), row[-1]) for row in rows]


def steps(connection: Connection, job_id: uuid.UUID) -> list[Step]:
    """The steps of a pipeline job in order; none where it has none."""
    rows = connection.execute(
        f"select {STEP_COLUMNS} from pipeline_jobs where job_id = %s order by position".encode(), (job_id,)
    ).fetchall()
    return [step_of(row) for row in rows]


def logs(connection: Connection, job_id: uuid.UUID) -> list[tuple[int, int, dt.datetime, str]]:
    """(token, attempt, at, line) of everything kept of a job's output."""
    rows = connection.execute(
        "select token, attempt, at, line from job_logs where job_id = %s order by token, number", (job_id,)
    ).fetchall()
    return [(int(row[0]), int(row[1]), row[2], row[3]) for row in rows]


def log_page(
    connection: Connection, job_id: uuid.UUID, limit: int, after: tuple[int, int] | None
) -> list[tuple[int, int, int, dt.datetime, str]]:
    """(token, number, attempt, at, line) in the order written; `after` is (token, number) of the last one seen."""
    rows = connection.execute(
        "select token, number, attempt, at, line from job_logs where job_id = %s and (token, number) > (%s, %s) "
        "order by token, number limit %s",
        (job_id, *(after or (-1, -1)), limit),
    ).fetchall()
    return [(int(row[0]), int(row[1]), int(row[2]), row[3], row[4]) for row in rows]


def attempts(connection: Connection, job_id: uuid.UUID) -> list[tuple[int, dt.datetime, dt.datetime, int]]:
    """(attempt, first line at, last line at, lines) of each that wrote any; one handed back is there twice."""
    rows = connection.execute(
        "select attempt, min(at), max(at), count(*) from job_logs where job_id = %s group by token, attempt "
        "order by token",
        (job_id,),
    ).fetchall()
    return [(int(row[0]), row[1], row[2], int(row[3])) for row in rows]


def plan_steps(
    connection: Connection, job_id: uuid.UUID, names: Sequence[str], fresh: float | None = None
) -> None:  # fmt: skip
    """Write down the steps a job will take; those there already stay as they are, unless they were other ones.

    Nor do they stay where the first was begun more than `fresh` seconds ago.
    """
    connection.execute(
        "with other as (select array_agg(step order by position) <> %(names)s or coalesce(min(started_at) < "
        "clock_timestamp() - make_interval(secs => %(fresh)s), false) as ones from pipeline_jobs "
        "where job_id = %(id)s) delete from pipeline_jobs using other where job_id = %(id)s and other.ones",
        {"id": job_id, "names": list(names), "fresh": fresh},
    )
    connection.execute(
        "insert into pipeline_jobs (job_id, step, position) select %s, name, place - 1 "
        "from unnest(%s::text[]) with ordinality as t (name, place) on conflict do nothing",
        (job_id, list(names)),
    )


def begin_step(connection: Connection, job_id: uuid.UUID, step: str) -> dict[str, Any] | None:
    """The step runs: what an interrupted attempt noted of it; None where it is complete."""
    row = connection.execute(
        "update pipeline_jobs set status = 'running', started_at = clock_timestamp(), finished_at = null, "
        "error = null where job_id = %s and step = %s and status <> 'completed' returning detail",
        (job_id, step),
    ).fetchone()
    return None if row is None else dict(row[0])


def note_step(connection: Connection, job_id: uuid.UUID, step: str, detail: Mapping[str, Any]) -> None:
    """Keep what a later attempt of this step needs to go on from here."""
    connection.execute(
        "update pipeline_jobs set detail = %s where job_id = %s and step = %s", (Jsonb(detail), job_id, step)
    )


def end_step(
    connection: Connection, job_id: uuid.UUID, step: str, rows: tuple[int, int], detail: Mapping[str, Any]
) -> None:
    """The step is complete: rows in and out, and what it found."""
    connection.execute(
        "update pipeline_jobs set status = 'completed', progress = 100, finished_at = clock_timestamp(), "
        "rows_in = %s, rows_out = %s, detail = %s where job_id = %s and step = %s",
        (*rows, Jsonb(detail), job_id, step),
    )


def totals(connection: Connection, job_type: str | None) -> dict[JobStatus, int]:
    """How many jobs there are of each status, of one type or of all."""
    rows = connection.execute(
        "select status, count(*) from job_queue where %(type)s::text is null or type = %(type)s group by status",
        {"type": job_type},
    ).fetchall()
    counted = {JobStatus(row[0]): int(row[1]) for row in rows}
    return {status: counted.get(status, 0) for status in JobStatus}


def history(connection: Connection, job_type: str, last: int = 50) -> tuple[int, float | None, float | None]:
    """Of the `last` completed jobs of a type: how many, and the median and 95th percentile of their seconds."""
    [row] = connection.execute(
        """
        select count(*), percentile_cont(0.5) within group (order by seconds),
          percentile_cont(0.95) within group (order by seconds)
        from (
          select extract(epoch from finished_at - started_at)::float8 as seconds from job_queue
          where type = %s and status = 'completed' order by finished_at desc limit %s
        ) as done
        """,
        (job_type, last),
    ).fetchall()
    return int(row[0]), row[1], row[2]
