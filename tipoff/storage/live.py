"""What changed and how rows stand now, each with a revision that only grows (see migration `live`)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Sequence

from pydantic import TypeAdapter

from tipoff.domain.job import JOB_COLUMNS, Job, job_of
from tipoff.storage.browse import BOOKED, PLAYED, Row
from tipoff.storage.pool import Connection

CHANNEL = "tipoff_live"
NEWEST_JOBS, LIVE_JOBS = 100, 100
NEWEST_RESULTS, SOONEST_FIXTURES = 50, 200
IN_PLAY = dt.timedelta(minutes=45)


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What a notification says; `ids` is None where so many changed that the topic is to be read anew."""

    topic: str
    ids: tuple[str, ...] | None = None


_CHANGE = TypeAdapter(Change)


def read(payload: str) -> Change:
    """A payload of CHANNEL; raises ValueError where it is none."""
    return _CHANGE.validate_json(payload)


def one_moment(connection: Connection) -> None:
    """Whatever this transaction reads is of one moment, and no question of it takes long or waits for a lock."""
    connection.execute(
        "set transaction isolation level repeatable read, read only; set local statement_timeout = '2s'; "
        "set local lock_timeout = '200ms'"
    )


def newest_jobs(connection: Connection) -> list[uuid.UUID]:
    """The newest jobs, and those that wait or run."""
    rows = connection.execute(
        """
        (select id from job_queue order by created_at desc, id limit %(newest)s)
        union (select id from job_queue where status = 'running' order by created_at desc, id limit %(live)s)
        union (select id from job_queue where status = 'pending' order by created_at desc, id limit %(live)s)
        """,
        {"newest": NEWEST_JOBS, "live": LIVE_JOBS},
    ).fetchall()
    return [row[0] for row in rows]


def jobs(connection: Connection, ids: Sequence[uuid.UUID]) -> list[tuple[int, Job]]:
    """(revision, job) of those that are there, newest first; a change of a step counts as one of its job."""
    rows = connection.execute(
        f"""
        select q.revision + coalesce((select max(p.revision) from pipeline_jobs p where p.job_id = q.id), 0),
          {JOB_COLUMNS} from job_queue q where q.id = any(%s) order by q.created_at desc, q.id
        """.encode(),
        (list(ids),),
    ).fetchall()
    return [(int(row[0]), job_of(row[1:])) for row in rows]


def current_fixtures(connection: Connection) -> list[str]:
    """Fixtures in play and those that come next, soonest first."""
    rows = connection.execute(
        "select external_id from upcoming_matches where status = 'scheduled' and start_at > clock_timestamp() - %s "
        "order by start_at, external_id limit %s",
        (IN_PLAY, SOONEST_FIXTURES),
    ).fetchall()
    return [row[0] for row in rows]


def newest_results(connection: Connection) -> list[str]:
    """The matches that began last of those that are over, newest first."""
    rows = connection.execute(
        "select external_id from matches order by start_at desc, external_id desc limit %s", (NEWEST_RESULTS,)
    ).fetchall()
    return [row[0] for row in rows]


def matches(connection: Connection, ids: Sequence[str]) -> list[tuple[int, Row]]:
    """(revision, row of PLAYED or BOOKED) of matches and fixtures by start: what is over, or else the fixture."""
    rows = connection.execute(
        f"""
        select m.revision + coalesce(
            (select u.revision from upcoming_matches u where u.external_id = m.external_id), 0
          ), {PLAYED} from matches m where m.external_id = any(%(ids)s)
        union all
        select u.revision, {BOOKED} from upcoming_matches u where u.external_id = any(%(ids)s)
          and not exists (select 1 from matches m where m.external_id = u.external_id)
        order by start_at, external_id
        """.encode(),
        {"ids": list(ids)},
    ).fetchall()
    return [(int(row[0]), row[1:]) for row in rows]


def forecast_revision(connection: Connection) -> int:
    """How often what is forecast has changed."""
    [(revision,)] = connection.execute("select revision from forecast_revision").fetchall()
    return int(revision)
