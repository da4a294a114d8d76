"""The log of deliveries: each try, and what became of its message."""

from __future__ import annotations

import dataclasses
import datetime as dt

from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One try; `state` is that of its message now: waiting, delivered or given_up."""

    id: int
    at: dt.datetime
    message_id: int
    channel: str
    event: str
    rule: str
    attempt: int
    ok: bool
    status: int | None
    duration_ms: float
    error: str
    state: str


def listed(connection: Connection, limit: int, before: tuple[dt.datetime, int] | None = None) -> list[Delivery]:
    """Tries, newest first; `before` is (at, id) of the last one seen."""
    rows = connection.execute(
        "select d.id, d.at, d.message_id, d.channel, coalesce(o.payload #>> '{notice,event}', ''), "
        "coalesce(o.payload #>> '{notice,alert,rule}', ''), d.attempt, d.ok, d.status, d.duration_ms, d.error, "
        "case when o.delivered_at is not null then 'delivered' when o.given_up_at is not null then 'given_up' "
        "else 'waiting' end "
        "from deliveries d join outbox o on o.id = d.message_id "
        "where %(at)s::timestamptz is null or (d.at, d.id) < (%(at)s, %(id)s::bigint) "
        "order by d.at desc, d.id desc limit %(limit)s",
        {"limit": limit, "at": before[0] if before else None, "id": before[1] if before else None},
    ).fetchall()
    return [Delivery(*row) for row in rows]
