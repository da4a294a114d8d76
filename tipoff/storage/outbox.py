"""Messages to the outside: written in the transaction that caused them, delivered by a job."""

from __future__ import annotations

import dataclasses
from typing import Any

from psycopg.types.json import Jsonb

from tipoff.storage.pool import Connection

ATTEMPTS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One message, in the attempt of that number."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int


def put(connection: Connection, kind: str, payload: dict[str, Any]) -> int:
    """Add a message in the caller's transaction."""
    row = connection.execute(
        "insert into outbox (kind, payload) values (%s, %s) returning id", (kind, Jsonb(payload))
    ).fetchone()
    assert row is not None  # noqa: S101
    return int(row[0])


def take(connection: Connection) -> Message | None:
    """The next message that is due.

    The attempt counts from now on, so that one that kills its sender is not first for ever; without word of it the
    message is due again after a growing wait.
    """
    row = connection.execute(
        "update outbox set attempts = attempts + 1, error = 'no word of the last attempt', "
        "next_at = clock_timestamp() + make_interval(secs => least(3600, 60 * 2 ^ attempts)) "
        "where id = (select id from outbox where delivered_at is null and given_up_at is null "
        "and next_at <= clock_timestamp() order by next_at, id limit 1 for update skip locked) "
        "returning id, kind, payload, attempts"
    ).fetchone()
    return None if row is None else Message(*row)


def delivered(connection: Connection, message: Message) -> None:
    """It arrived."""
    connection.execute("update outbox set delivered_at = clock_timestamp(), error = '' where id = %s", (message.id,))


def failed(connection: Connection, message: Message, error: str, final: bool) -> None:
    """It did not arrive; tried again after a growing wait, unless `final` or tried often enough."""
    connection.execute(
        "update outbox set error = %(error)s, "
        "next_at = clock_timestamp() + make_interval(secs => least(3600, 15 * 2 ^ (attempts - 1))), "
        "given_up_at = case when %(final)s or attempts >= %(most)s then clock_timestamp() end where id = %(id)s",
        {"id": message.id, "error": error[:500], "final": final, "most": ATTEMPTS},
    )


def forget(connection: Connection, days: float) -> int:
    """Delete messages that were delivered or given up longer ago."""
    return connection.execute(
        "delete from outbox "
        "where coalesce(delivered_at, given_up_at) < clock_timestamp() - make_interval(secs => 86400 * %s)",
        (days,),
    ).rowcount
