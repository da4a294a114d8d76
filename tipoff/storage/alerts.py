"""Alerts as rows: what is live, what was; every change is one statement."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

from tipoff.storage.pool import Connection

COLUMNS = (
    "id, rule, subject, severity, state, message, remedy, since, opened_at, seen_at, clear_since, lower_since, "
    "told_at, told, told_severity, acknowledged_at, acknowledged_by, resolved_at"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """A row. `clear_since`: not seen since then; `lower_since`: an error that is only a warning since then."""

    id: int
    rule: str
    subject: str
    severity: str
    state: str
    message: str
    remedy: str
    since: dt.datetime
    opened_at: dt.datetime | None
    seen_at: dt.datetime
    clear_since: dt.datetime | None
    lower_since: dt.datetime | None
    told_at: dt.datetime | None
    told: int
    told_severity: str | None
    acknowledged_at: dt.datetime | None
    acknowledged_by: str | None
    resolved_at: dt.datetime | None


def live(connection: Connection, now: dt.datetime) -> list[tuple[Alert, int]]:
    """What is not resolved (also what is not believed yet), and how often each was resolved within the last day."""
    rows = connection.execute(
        f"""
        select {COLUMNS}, (select count(*)::int from alerts r where r.rule = a.rule and r.subject = a.subject
          and r.resolved_at > %s - interval '1 day')
        from alerts a where state <> 'resolved' order by id
        """.encode(),
        (now,),
    ).fetchall()
    return [(Alert(*row[:-1]), int(row[-1])) for row in rows]


def begin(
    connection: Connection, rule: str, subject: str, severity: str, message: str, remedy: str, since: dt.datetime,
    now: dt.datetime, *, opened: bool, clear: bool = False,
) -> Alert | None:  # fmt: skip
    """A new one; `clear`: it is over already. None where one of the rule and subject is live, or spans its time."""
    row = connection.execute(
        f"""
        insert into alerts (rule, subject, severity, state, message, remedy, since, opened_at, seen_at, clear_since)
        select %(rule)s, %(subject)s, %(severity)s, case when %(opened)s then 'open' else 'pending' end, %(message)s,
          %(remedy)s, %(since)s, case when %(opened)s then %(now)s::timestamptz end, %(now)s,
          case when %(clear)s then %(now)s::timestamptz end
        where not %(clear)s or not exists (select from alerts where rule = %(rule)s and subject = %(subject)s
          and resolved_at >= %(since)s)
        on conflict (rule, subject) where state <> 'resolved' do nothing
        returning {COLUMNS}
        """.encode(),
        {
            "rule": rule, "subject": subject, "severity": severity, "message": message, "remedy": remedy,
            "since": since, "now": now, "opened": opened, "clear": clear,
        },
    ).fetchone()  # fmt: skip
    return Alert(*row) if row else None


def write(connection: Connection, changed: Sequence[Alert]) -> None:
    """Rows as they are now, in one statement; somebody who acknowledged one meanwhile is not overruled."""
    if not changed:
        return
    names = (
        "id", "severity", "message", "remedy", "state", "opened_at", "seen_at", "clear_since", "lower_since",
        "told_at", "told", "told_severity", "resolved_at", "acknowledged_at",
    )  # fmt: skip
    connection.execute(
        """
        update alerts a set severity = n.severity, message = n.message, remedy = n.remedy,
          state = case when n.state = 'open' and a.state = 'acknowledged' and n.acknowledged_at is null then a.state
            else n.state end,
          opened_at = n.opened_at, seen_at = n.seen_at, clear_since = n.clear_since,
          lower_since = n.lower_since, told_at = n.told_at,
          told = n.told, told_severity = n.told_severity, resolved_at = n.resolved_at
        from unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
          %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::text[],
          %s::timestamptz[], %s::timestamptz[])
          as n (id, severity, message, remedy, state, opened_at, seen_at, clear_since, lower_since, told_at, told,
            told_severity, resolved_at, acknowledged_at)
        where a.id = n.id and a.state <> 'resolved'
        """,
        [[getattr(alert, name) for alert in changed] for name in names],
    )


def drop(connection: Connection, alert_id: int) -> None:
    """One that was never believed."""
    connection.execute("delete from alerts where id = %s and state = 'pending'", (alert_id,))


def acknowledge(connection: Connection, alert_id: int, by: str) -> Alert | None:
    """Somebody takes care of it: no more reminders. None where there is no such live alert."""
    row = connection.execute(
        f"""
        update alerts set state = 'acknowledged', acknowledged_at = coalesce(acknowledged_at, clock_timestamp()),
          acknowledged_by = case when state = 'acknowledged' then acknowledged_by else %s end
        where id = %s and state in ('open', 'acknowledged') returning {COLUMNS}
        """.encode(),
        (by[:200], alert_id),
    ).fetchone()
    return Alert(*row) if row else None


def find(connection: Connection, alert_id: int) -> Alert | None:
    """An alert that was believed at some time."""
    row = connection.execute(
        f"select {COLUMNS} from alerts where id = %s and state <> 'pending'".encode(), (alert_id,)
    ).fetchone()
    return Alert(*row) if row else None


def page(connection: Connection, limit: int, before: int | None, states: Sequence[str]) -> list[Alert]:
    """Alerts in these states, newest first, from below the id `before`."""
    rows: list[tuple[Any, ...]] = connection.execute(
        f"""
        select {COLUMNS} from alerts where state = any(%(states)s)
          and (%(before)s::bigint is null or id < %(before)s) order by id desc limit %(limit)s
        """.encode(),
        {"states": list(states), "before": before, "limit": limit},
    ).fetchall()
    return [Alert(*row) for row in rows]


def forget(connection: Connection, days: float) -> int:
    """Delete alerts that were resolved longer ago."""
    return connection.execute(
        "delete from alerts where resolved_at < now() - make_interval(secs => 86400 * %s)", (days,)
    ).rowcount
