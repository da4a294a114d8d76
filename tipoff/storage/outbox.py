"""Messages to the outside: written in the transaction that caused them, delivered by a job.

A channel's messages are tried in the order in which they were written: one waits while an earlier one of its channel
is due or has failed. One that has failed often lets the others pass (see `HOLDS_ANSWERED`, `HOLDS_UNANSWERED`).
Every function takes `now`, by default the database's clock.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from tipoff.storage.pool import Connection

WEBHOOK, APPRISE = "webhook", "apprise"
"""kinds of messages"""
KEEP_TRYING = dt.timedelta(days=3)
"""from the first try on"""
FIRST_WAIT, LONGEST_WAIT = 15, 900
"""seconds after the first failure, doubled after each, and the most"""
UNHEARD = 60
"""seconds after which a message is due again whose sender has not said what became of it"""
HOLDS_ANSWERED, HOLDS_UNANSWERED = 4, 20
"""attempts after which a message holds up its channel no longer: where the receiver answered, and where nobody did"""
_NOW = "coalesce(%(now)s::timestamptz, clock_timestamp())"
_WAITS = "delivered_at is null and given_up_at is null"


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One message, in the attempt of that number, which began at `taken_at`."""

    id: int
    kind: str
    channel: str
    payload: dict[str, Any]
    attempt: int
    taken_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """What came of an attempt; `error` holds no secret. With `final` another attempt is pointless."""

    error: str = ""
    """empty: it arrived"""
    status: int | None = None
    milliseconds: float = 0.0
    final: bool = False
    answered: bool = False
    """the receiver itself answered, so that it may be this message that it does not take"""


NO_WORD = Tried("no word of this attempt: whoever made it has ended, and it may have arrived")


def put(
    connection: Connection, kind: str, channel: str, payload: dict[str, Any], not_before: dt.datetime | None = None,
    now: dt.datetime | None = None,
) -> int:  # fmt: skip
    """Add a message in the caller's transaction; its id."""
    [row] = connection.execute(
        "insert into outbox (kind, channel, payload, created_at, next_at) "
        f"values (%(kind)s, %(channel)s, %(payload)s, {_NOW}, greatest({_NOW}, %(not_before)s)) "
        "returning id".encode(),
        {"kind": kind, "channel": channel, "payload": Jsonb(payload), "not_before": not_before, "now": now},
    ).fetchall()
    return int(row[0])


def take(connection: Connection, without: Sequence[str] = (), now: dt.datetime | None = None) -> Message | None:
    """The next message that is due, of any channel but those of `without`.

    The attempt counts from now on; without word of it the message is due again after `UNHEARD` seconds. A row that
    another process is taking is passed over. Channels whose turn has come for the first time go before those that
    failed, which may hang again.
    """
    while True:
        row = connection.execute(
            f"select id, attempts, taken_at from outbox o where {_WAITS} and next_at <= {_NOW} "
            "and channel <> all(%(without)s) and not exists (select from outbox e where e.channel = o.channel "
            "and e.id < o.id and e.holds and e.delivered_at is null and e.given_up_at is null "
            f"and (e.attempts > 0 or e.next_at <= {_NOW})) "
            "order by holds desc, attempts > 0, id limit 1 for update of o skip locked".encode(),
            {"without": list(without), "now": now},
        ).fetchone()
        if row is None:
            return None
        message_id, attempts, taken_at = row
        if taken_at is not None:
            _log(connection, message_id, attempts, NO_WORD, taken_at)
            if _give_up_old(connection, message_id, now):
                continue
        return take_one(connection, message_id, now)


def take_one(connection: Connection, message_id: int, now: dt.datetime | None = None) -> Message:
    """Begin an attempt of that message, whoever waits before it."""
    [row] = connection.execute(
        f"update outbox set attempts = attempts + 1, taken_at = {_NOW}, error = %(error)s, "
        f"next_at = {_NOW} + make_interval(secs => %(unheard)s) where id = %(id)s "
        "returning id, kind, channel, payload, attempts, taken_at".encode(),
        {"id": message_id, "now": now, "error": NO_WORD.error, "unheard": UNHEARD},
    ).fetchall()
    return Message(*row)


def note(connection: Connection, message: Message, tried: Tried, now: dt.datetime | None = None) -> None:
    """What came of the attempt: delivered, given up, or due again after a growing wait."""
    _log(connection, message.id, message.attempt, tried, message.taken_at)
    if not tried.error:
        connection.execute(
            f"update outbox set delivered_at = {_NOW}, given_up_at = null, taken_at = null, error = '' "
            "where id = %(id)s".encode(),
            {"id": message.id, "now": now},
        )
        return
    connection.execute(
        "update outbox set error = %(error)s, taken_at = null, holds = holds and attempts < %(holds)s, "
        f"given_up_at = case when %(final)s then {_NOW} end, "
        f"next_at = {_NOW} + make_interval(secs => least(%(longest)s, %(first)s * 2 ^ least(attempts - 1, 20))) "
        f"where id = %(id)s and taken_at = %(taken_at)s and {_WAITS}".encode(),
        {
            "id": message.id, "taken_at": message.taken_at, "now": now, "error": tried.error[:500],
            "final": tried.final, "first": FIRST_WAIT, "longest": LONGEST_WAIT,
            "holds": HOLDS_ANSWERED if tried.answered else HOLDS_UNANSWERED,
        },
    )  # fmt: skip
    _give_up_old(connection, message.id, now)


def _log(connection: Connection, message_id: int, attempt: int, tried: Tried, at: dt.datetime) -> None:
    connection.execute(
        "insert into deliveries (message_id, channel, attempt, at, ok, status, duration_ms, error) "
        "select id, channel, %(attempt)s, %(at)s, %(ok)s, %(status)s, %(ms)s, %(error)s from outbox "
        "where id = %(id)s",
        {
            "id": message_id, "attempt": attempt, "at": at, "ok": not tried.error, "status": tried.status,
            "ms": tried.milliseconds, "error": tried.error[:500],
        },
    )  # fmt: skip


def _give_up_old(connection: Connection, message_id: int, now: dt.datetime | None) -> bool:
    """Give it up where it was tried for long enough; whether it was."""
    return bool(
        connection.execute(
            f"update outbox set given_up_at = {_NOW}, taken_at = null where id = %(id)s and {_WAITS} "
            f"and (select min(at) from deliveries where message_id = %(id)s) <= {_NOW} - %(keep)s".encode(),
            {"id": message_id, "now": now, "keep": KEEP_TRYING},
        ).rowcount
    )


def forget(connection: Connection, days: float, now: dt.datetime | None = None) -> int:
    """Delete messages, with their tries, that were delivered or given up longer ago."""
    return connection.execute(
        f"delete from outbox where coalesce(delivered_at, given_up_at) < {_NOW} - %(kept)s".encode(),
        {"kept": dt.timedelta(days=days), "now": now},
    ).rowcount
