"""Health reports: whose turn it is to make one, those that were made, what jobs found for them, and their history."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from tipoff.storage.pool import Connection


def find(connection: Connection, name: str, value: Mapping[str, Any], now: dt.datetime | None = None) -> None:
    """Keep what a job has measured, in the place of what it measured before."""
    connection.execute(
        """
        insert into health_findings (name, value, as_of)
          values (%(name)s, %(value)s, coalesce(%(now)s, clock_timestamp()))
        on conflict (name) do update set value = excluded.value, as_of = excluded.as_of
        """,
        {"name": name, "value": Jsonb(dict(value)), "now": now},
    )


def found(connection: Connection, name: str) -> tuple[dict[str, Any], dt.datetime] | None:
    """What a job measured last, and when."""
    row = connection.execute("select value, as_of from health_findings where name = %s", (name,)).fetchone()
    return None if row is None else (row[0], row[1])


def claim(
    connection: Connection, checker: str, host: str, figures: Mapping[str, Any], every: float
) -> tuple[bool, float, dict[str, Any] | None]:
    """(whether the periodic check is this process's now, age of the newest report in seconds, the report).

    Of many processes one gets it in each `every` seconds; each says at every turn how its machine is.
    """
    [row] = connection.execute(
        """
        with present as (
          insert into health_processes (name, host, figures) values (%(checker)s, %(host)s, %(figures)s)
          on conflict (name) do update
            set host = excluded.host, figures = excluded.figures, seen_at = clock_timestamp()
        ), mine as (
          insert into health_findings as f (name, value, as_of)
            values ('periodic_check', jsonb_build_object('checker', %(checker)s::text), clock_timestamp())
          on conflict (name) do update set value = excluded.value, as_of = excluded.as_of
            where abs(extract(epoch from now() - f.as_of)) >= %(every)s
          returning 1
        )
        select exists (select from mine), coalesce(extract(epoch from now() - h.checked_at), 0)::float8, h.report
        from (select) as one
        left join (
          select checked_at, report from system_health order by checked_at desc, id desc limit 1
        ) as h on true
        """,
        {"checker": checker, "host": host, "figures": Jsonb(dict(figures)), "every": every},
    ).fetchall()
    return bool(row[0]), float(row[1]), row[2]


def newest(connection: Connection) -> dict[str, Any] | None:
    """The newest report."""
    row = connection.execute("select report from system_health order by checked_at desc, id desc limit 1").fetchone()
    return row[0] if row else None


def keep(connection: Connection, report: Mapping[str, Any], checked_at: dt.datetime) -> None:
    """Keep a report."""
    statuses = {name: check["status"] for name, check in report["checks"].items()}
    figures = {k: v for k, v in report["metrics"].items() if isinstance(v, int | float) and not isinstance(v, bool)}
    connection.execute(
        "insert into system_health (checked_at, overall_status, duration_ms, checker, statuses, metrics, report) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (
            checked_at, report["overall_status"], report["duration_ms"], report["checker"], Jsonb(statuses),
            Jsonb(figures), Jsonb(dict(report)),
        ),
    )  # fmt: skip


BUCKETS = 288
SHOWN = (
    "cpu_percent", "memory_percent", "disk_percent", "database_ms", "queue_age_seconds", "fetched_seconds_ago",
    "result_seconds_ago", "sealed_share",
)  # fmt: skip
"""figures of the history"""


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of the past: reports, how many were healthy, the worst of each check, mean figures."""

    at: dt.datetime
    reports: int
    healthy: int
    status: str
    checks: dict[str, str]
    metrics: dict[str, float]


def history(connection: Connection, hours: int) -> list[Bucket]:
    """The last hours in BUCKETS stretches, oldest first; those without a report are left out."""
    rows = connection.execute(
        """
        with found as materialized (
          select id, date_bin(make_interval(secs => 3600.0 * %(hours)s / %(buckets)s), checked_at, 'epoch') as at,
            overall_status as status, statuses, metrics
          from system_health where checked_at > now() - make_interval(hours => %(hours)s)
        ), checks as (
          select at, jsonb_object_agg(name, status) as checks from (
            select at, name, (array['healthy', 'warning', 'error'])[max(array_position(
              array['healthy', 'warning', 'error'], state))] as status
            from found, jsonb_each_text(statuses) as s (name, state) group by at, name
          ) as c group by at
        ), figures as (
          select at, jsonb_object_agg(name, value) as metrics from (
            select at, name, round(avg(value::numeric), 4) as value
            from found, jsonb_each_text(metrics) as m (name, value) where name = any(%(shown)s) group by at, name
          ) as f group by at
        )
        select b.at, b.reports, b.healthy, b.status, coalesce(c.checks, '{}'), coalesce(f.metrics, '{}')
        from (
          select at, count(*)::int as reports, count(*) filter (where status = 'healthy')::int as healthy,
            (array['healthy', 'warning', 'error'])[max(array_position(array['healthy', 'warning', 'error'], status))]
              as status
          from found group by at
        ) as b left join checks as c using (at) left join figures as f using (at) order by b.at
        """,
        {"hours": hours, "buckets": BUCKETS, "shown": list(SHOWN)},
    ).fetchall()
    return [Bucket(*row) for row in rows]


@dataclasses.dataclass(frozen=True, slots=True)
class Day:
    """The last hours: reports, how many were not healthy by check, the worst of each, alerts and failed jobs."""

    reports: int
    not_healthy: dict[str, int]
    worst: dict[str, str]
    now: dict[str, str]
    alerts: list[dict[str, Any]]
    resolved: int
    failed: dict[str, int]


def reviewed(connection: Connection, hours: float) -> Day:
    """What was wrong in the last hours, of checks that were not healthy all the time."""
    [row] = connection.execute(
        """
        with found as materialized (
          select checked_at, statuses from system_health
          where checked_at > now() - make_interval(secs => 3600 * %(hours)s)
        ), bad as (
          select name, count(*)::int as times,
            case when bool_or(status = 'error') then 'error' else 'warning' end as worst
          from found, jsonb_each_text(statuses) as s (name, status) where status <> 'healthy' group by name
        ), raised as (
          select rule, subject, severity, state, message, opened_at, resolved_at from alerts
          where opened_at is not null and (state <> 'resolved'
            or resolved_at > now() - make_interval(secs => 3600 * %(hours)s))
        )
        select (select count(*)::int from found),
          coalesce((select jsonb_object_agg(name, times) from bad), '{}'),
          coalesce((select jsonb_object_agg(name, worst) from bad), '{}'),
          coalesce((select statuses from found order by checked_at desc limit 1), '{}'),
          coalesce((select jsonb_agg(to_jsonb(r) order by opened_at) from raised r), '[]'),
          (select count(*)::int from raised where resolved_at is not null),
          coalesce((select jsonb_object_agg(type, failed) from (
            select type, count(*) as failed from job_queue where status = 'failed'
              and finished_at > now() - make_interval(secs => 3600 * %(hours)s) group by type
          ) as f), '{}')
        """,
        {"hours": hours},
    ).fetchall()
    return Day(*row)


def forget(connection: Connection, days: float) -> int:
    """Delete reports that are older, and processes that have been silent for a day."""
    connection.execute("delete from health_processes where seen_at < now() - interval '1 day'")
    connection.execute("delete from job_workers where seen_at < now() - interval '1 day'")
    return connection.execute(
        "delete from system_health where checked_at < now() - make_interval(secs => 86400 * %s)", (days,)
    ).rowcount
