"""What checks ask the database: one question each, of indexes and small tables."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from tipoff.storage.payloads import FEED
from tipoff.storage.pool import Connection

EXPECTED = ("other_sport",)
"""rows that are refused and no trouble"""
WHOLE = ("bad_encoding", "invalid_json", "not_a_list")
"""why a whole answer is refused"""


@dataclasses.dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The server as this connection sees it; `slow` statements have run longer than asked, `longest` in seconds."""

    now: dt.datetime
    bytes: int
    schema_version: str
    slow: int
    longest: float
    connections: int
    most_connections: int
    read_only: bool


def database(connection: Connection, slow_seconds: float) -> DatabaseFacts:
    """Clock, size, schema, statements that run for long, connections; of tables that every schema has."""
    [row] = connection.execute(
        """
        select clock_timestamp(), pg_database_size(current_database()),
          coalesce((select max(version) from supabase_migrations.schema_migrations), ''),
          a.slow, a.longest, a.connections,
          current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
          current_setting('transaction_read_only')::bool
        from (
          select count(*) filter (where seconds > %(slow)s)::int as slow,
            coalesce(max(seconds), 0)::float8 as longest, count(*)::int as connections
          from (
            select case when state = 'active' and pid <> pg_backend_pid()
              then extract(epoch from clock_timestamp() - query_start) end as seconds
            from pg_stat_activity where backend_type = 'client backend'
          ) as s
        ) as a
        """,
        {"slow": slow_seconds},
    ).fetchall()
    return DatabaseFacts(*row)


@dataclasses.dataclass(frozen=True, slots=True)
class QueueFacts:
    """The queue and who works on it; ages are in seconds."""

    running: int
    pending: int
    oldest: float
    stuck: list[str]
    failed_hour: int
    ended_hour: int
    failed_last: dict[str, str]
    workers: int
    last_seen: dt.datetime | None
    late: list[str]
    latest: float
    missed_hour: int
    switched_off: dict[str, str]
    message_age: float
    channels_down: dict[str, str]
    processes: list[dict[str, Any]]


def queue(
    connection: Connection, stuck_seconds: float, late_seconds: float, alive_seconds: float,
    since: dt.datetime | None = None, present_seconds: float = 60.0,
) -> QueueFacts:  # fmt: skip
    """Stuck: its lease ran out `stuck_seconds` ago and nobody took it over.

    `failed_last` are the types of which a job failed after `since`, or after which none completed, each with its
    error; `message_age`: for how long the oldest message that is due has waited; `channels_down`: those that fail;
    `processes`: what each live process said of its machine.
    """
    [row] = connection.execute(
        """
        select
          (select count(*)::int from job_queue where status = 'running'),
          (select count(*)::int from (select from job_queue where status = 'pending' limit 10000) as p),
          coalesce((select extract(epoch from now() - least(min(run_after), now()))::float8
            from (select run_after from job_queue where status = 'pending' limit 20000) as o), 0),
          array(select type || ' ' || id from job_queue where status = 'running'
            and lease_until < now() - make_interval(secs => %(stuck)s) order by id limit 20),
          h.failed, h.ended,
          coalesce((select jsonb_object_agg(type, error) from (
            select t.type, left(coalesce(f.error ->> 'message', ''), 200) as error
            from (select distinct type from job_queue where status = 'failed') as t
            cross join lateral (select error, finished_at from job_queue where type = t.type and status = 'failed'
              order by finished_at desc limit 1) as f
            left join lateral (select finished_at from job_queue where type = t.type and status = 'completed'
              order by finished_at desc limit 1) as c on true
            where f.finished_at > %(since)s::timestamptz or c.finished_at is null or c.finished_at < f.finished_at
          ) as l), '{}'),
          w.alive, w.last_seen,
          array(select name from job_schedules where enabled
            and next_at < now() - make_interval(secs => %(late)s) order by next_at limit 20),
          coalesce((select extract(epoch from now() - min(next_at))::float8 from job_schedules
            where enabled), 0),
          (select coalesce(sum(missed), 0)::int from schedule_ticks
            where fired_at > now() - interval '1 hour'),
          coalesce((select jsonb_object_agg(name, left(last_outcome, 200)) from job_schedules
            where not enabled and last_outcome like 'switched off:%%'), '{}'),
          coalesce((select extract(epoch from now() - min(o.next_at))::float8 from outbox o
            where o.delivered_at is null and o.given_up_at is null and o.next_at <= now() and not exists (
              select from outbox e where e.channel = o.channel and e.id < o.id and e.holds and e.delivered_at is null
                and e.given_up_at is null and (e.attempts > 0 or e.next_at <= now()))), 0),
          coalesce((select jsonb_object_agg(channel, left(error, 200)) from (
            select distinct on (channel) channel, error from outbox
            where delivered_at is null and given_up_at is null and attempts >= 3 order by channel, attempts desc
          ) as d), '{}'),
          coalesce((select jsonb_agg(figures || jsonb_build_object('name', name, 'host', host) order by seen_at)
            from health_processes where seen_at > now() - make_interval(secs => %(present)s)), '[]')
        from (
          select count(*) filter (where status = 'failed')::int as failed, count(*)::int as ended
          from job_queue where finished_at > now() - interval '1 hour' and status <> 'cancelled'
        ) as h, (
          select count(*) filter (where seen_at > now() - make_interval(secs => %(alive)s))::int as alive,
            max(seen_at) as last_seen
          from job_workers
        ) as w
        """,
        {
            "stuck": stuck_seconds,
            "late": late_seconds,
            "alive": alive_seconds,
            "since": since,
            "present": present_seconds,
        },
    ).fetchall()
    return QueueFacts(*row)


@dataclasses.dataclass(frozen=True, slots=True)
class ModelFacts:
    """The champion and what jobs found of it and of the ledger; findings are (what, when)."""

    version: int | None
    sha256: str | None
    trained_at: dt.datetime | None
    state_matches: int | None
    drift: dict[str, Any] | None
    drift_at: dt.datetime | None
    verification: dict[str, Any] | None
    verified_at: dt.datetime | None


def models(connection: Connection) -> ModelFacts:
    """The champion; the newest watch for drift and verification of the ledger."""
    [row] = connection.execute(
        """
        select m.version, m.sha256, m.created_at, s.matches, d.value, d.as_of, v.value, v.as_of
        from (select) as one
        left join model_registry m on m.active
        left join filter_states s on s.model_sha256 = m.sha256
        left join health_findings d on d.name = 'drift'
        left join health_findings v on v.name = 'ledger'
        """
    ).fetchall()
    return ModelFacts(*row)


@dataclasses.dataclass(frozen=True, slots=True)
class FreshnessFacts:
    """What has come from the league, and when; `refused` rows were refused for the first time within a day."""

    fetched_at: dt.datetime | None
    newest_result: dt.datetime | None
    fixtures: int
    horizon: dt.datetime | None
    arrived_day: int
    refused_day: int
    refused_hour: dict[str, int]
    unreadable: list[str]
    unread: int
    unread_since: dt.datetime | None


def freshness(connection: Connection) -> FreshnessFacts:
    """Last answer, newest result, coming matches, quarantine, answers that wait to be read."""
    [row] = connection.execute(
        f"""
        select
          (select last_fetched_at from raw_payloads where {FEED} order by last_fetched_at desc limit 1),
          (select start_at from matches where status = 'final' and not older order by start_at desc limit 1),
          f.fixtures, f.horizon,
          (select count(*)::int from matches where start_at > now() - interval '24 hours'),
          q.day, q.hour, q.unreadable, u.unread, u.since
        from (
          select count(*)::int as fixtures, max(start_at) as horizon from upcoming_matches
          where status = 'scheduled' and start_at > now()
        ) as f, (
          select coalesce(sum(new), 0)::int as day,
            coalesce(jsonb_object_agg(reason, hour) filter (where hour > 0), '{{}}') as hour,
            coalesce(array_agg(reason) filter (
              where reason = any(%(whole)s) and seen > now() - interval '10 minutes'), '{{}}') as unreadable
          from (
            select reason, count(*) filter (where last_seen_at > now() - interval '1 hour') as hour,
              count(*) filter (where first_seen_at > now() - interval '24 hours') as new, max(last_seen_at) as seen
            from quarantine
            where last_seen_at > now() - interval '24 hours' and reason <> all(%(expected)s)
            group by reason
          ) as r
        ) as q, (
          select count(*)::int as unread, min(last_fetched_at) as since from raw_payloads where ingested_at is null
        ) as u
        """,
        {"expected": list(EXPECTED), "whole": list(WHOLE)},
    ).fetchall()
    return FreshnessFacts(*row)


@dataclasses.dataclass(frozen=True, slots=True)
class ForecastFacts:
    """Matches of the last day that could have been sealed, and were; `clock` is the ledger's."""

    clock: str | None
    opened_at: dt.datetime | None
    begun: int
    sealed: int
    rows: int


def forecasts(connection: Connection, horizon: int) -> ForecastFacts:
    """Of the matches that began within a day and since the ledger was opened: how many were sealed in time.

    In time is `horizon` minutes before the start at the latest, less what the seal itself may be late. A match whose
    fixture was never seen before it began is not counted: nobody could have sealed it.
    """
    [row] = connection.execute(
        """
        with opened as (
          select (content::jsonb) #>> '{body,clock}' as clock, ((content::jsonb) ->> 'at')::timestamptz as at
          from ledger where seq = 1
        ), begun as (
          select u.external_id, u.start_at from upcoming_matches u, opened o
          where u.status in ('scheduled', 'played')
            and u.start_at between now() - interval '24 hours' and now()
            and u.first_seen_at < u.start_at - make_interval(mins => %(horizon)s + 5)
            and u.start_at > o.at + make_interval(mins => %(horizon)s + 5)
        )
        select (select clock from opened), (select at from opened), count(*)::int,
          count(*) filter (where exists (
            select from match_predictions p where p.external_id = b.external_id and p.start_at = b.start_at
              and p.sealed_at < p.start_at))::int,
          (select coalesce(max(seq), 0)::int from ledger)
        from begun b
        """,
        {"horizon": horizon},
    ).fetchall()
    return ForecastFacts(*row)
