"""The figures that /metrics shows: a few questions of one moment, none of which reads a large table whole."""

from __future__ import annotations

import dataclasses
from typing import Any

from tipoff.storage import jobs, live, overview
from tipoff.storage.payloads import FEED
from tipoff.storage.pool import Connection

OLDEST = 20_000
"""waiting jobs that are looked at for the oldest one, in the order in which they come next"""
Labelled = dict[tuple[str, ...], float]


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """What the database holds now; `one` are figures of their own by name, without those that there are none of."""

    jobs: list[dict[str, Any]]
    """rows of the view job_statistics"""
    waiting: dict[str, float]
    """seconds for which the oldest job that could run waits, by type"""
    ended: Labelled
    """jobs that ended in the last hour, by type and status"""
    quarantine: Labelled
    """rows of the last day, by reason"""
    alerts: Labelled
    """open and acknowledged ones, by severity"""
    health: Labelled
    """by check and status: always 1"""
    rows: dict[str, int]
    """by table; an estimate where there are many"""
    one: dict[str, float]


def figures(connection: Connection) -> Figures:
    """All of it, inside the caller's transaction."""
    live.one_moment(connection)
    one = {**_of_tables(connection), **_of_the_champion(connection)}
    counted = _counted(connection)
    return Figures(
        jobs.statistics(connection), _waiting(connection), counted["ended"], counted["quarantine"], counted["alerts"],
        counted["health"], {table: rows for table, (rows, _) in overview.rows(connection).items()}, one,
    )  # fmt: skip


def _waiting(connection: Connection) -> dict[str, float]:
    rows = connection.execute(
        """
        select type, extract(epoch from now() - min(run_after))::float8 from (
          select type, run_after from job_queue where status = 'pending' and run_after <= now()
          order by rank, id limit %s
        ) as next group by type
        """,
        (OLDEST,),
    ).fetchall()
    return {row[0]: max(0.0, row[1]) for row in rows}


def _of_tables(connection: Connection) -> dict[str, float]:
    """Fetching, ingest, sealing, workers, messages, the age of the health report: a row of figures."""
    cursor = connection.execute(
        f"""
        select
          (select extract(epoch from last_fetched_at) from raw_payloads where {FEED}
            order by last_fetched_at desc limit 1)
            as last_fetch,
          (select count(*) from raw_payloads where last_fetched_at > now() - interval '1 hour') as fetched,
          (select count(*) from raw_payloads where ingested_at is null) as payloads_waiting,
          (select extract(epoch from start_at) from matches where status = 'final' and not older
            order by start_at desc limit 1)
            as newest_result,
          (select count(*) from upcoming_matches where status = 'scheduled' and start_at > now())
            as fixtures,
          (select extract(epoch from max(start_at)) from upcoming_matches
            where status = 'scheduled' and start_at > now()) as last_fixture,
          (select count(*) from match_predictions where start_at > now() - interval '1 day'
            and sealed_at > now() - interval '1 day') as sealed_1d,
          (select count(*) from upcoming_matches u where status in ('scheduled', 'played')
            and start_at between now() - interval '3 hours' and now()) as begun_3h,
          (select count(*) from upcoming_matches u where status in ('scheduled', 'played')
            and start_at between now() - interval '3 hours' and now()
            and exists (select 1 from match_predictions p where p.external_id = u.external_id)) as begun_sealed_3h,
          (select max(seq) from ledger) as ledger_rows,
          (select count(*) from job_workers where seen_at > now() - interval '30 seconds') as workers,
          (select count(*) from outbox where delivered_at is null and given_up_at is null) as outbox_waiting,
          (select coalesce(extract(epoch from now() - min(created_at)), 0) from outbox
            where delivered_at is null and given_up_at is null) as outbox_oldest,
          (select count(*) from outbox where coalesce(delivered_at, given_up_at) > now() - interval '1 day'
            and given_up_at is not null) as outbox_given_up,
          (select extract(epoch from now() - checked_at) from system_health
            order by checked_at desc limit 1) as health_age
        """
    )
    names = [column.name for column in cursor.description or []]
    return {name: float(value) for name, value in zip(names, cursor.fetchall()[0], strict=True) if value is not None}


def _of_the_champion(connection: Connection) -> dict[str, float]:
    """What it promised, and what it scored in the last seven days."""
    rows = connection.execute(
        """
        select r.version, extract(epoch from r.created_at),
          (r.document #>> '{measured,models,0,measures,log_loss,mean}')::float8,
          (r.document #>> '{measured,models,0,measures,log_loss,high}')::float8,
          (select sum(matches) from model_performance where model_sha256 = r.sha256 and day > current_date - 7),
          (select sum(matches * log_loss) / sum(matches) from model_performance
            where model_sha256 = r.sha256 and day > current_date - 7)
        from model_registry r where r.active
        """
    ).fetchall()
    names = ("version", "trained", "promised", "promised_high", "graded_7d", "log_loss_7d")
    return {name: float(value) for row in rows for name, value in zip(names, row, strict=True) if value is not None}


def _counted(connection: Connection) -> dict[str, Labelled]:
    """Counts of different kinds, by labels, in one question."""
    found: dict[str, Labelled] = {"ended": {}, "quarantine": {}, "alerts": {}, "health": {}}
    for kind, first, second, count in connection.execute(
        """
        select 'ended', type, status, count(*) from job_queue
          where finished_at > now() - interval '1 hour' group by type, status
        union all select 'quarantine', reason, '', count(*) from quarantine
          where last_seen_at > now() - interval '1 day' group by reason
        union all select 'alerts', severity, '', count(*) from alerts
          where state <> 'resolved' and state in ('open', 'acknowledged') group by severity
        union all select 'health', c.key, c.value ->> 'status', 1
          from (select report from system_health order by checked_at desc limit 1) as newest,
            jsonb_each(newest.report -> 'checks') as c
        """
    ).fetchall():
        found[kind][(first, second) if second else (first,)] = float(count)
    return found
