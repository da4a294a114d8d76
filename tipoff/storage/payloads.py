"""Raw payloads, kept before anything interprets them."""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from collections.abc import Sequence

from tipoff.domain.payload import DETAIL, HISTORY, RawPayload
from tipoff.storage.pool import Connection

FEED = f"(resource <> '{HISTORY}' and resource not like '{DETAIL}%%')"
"""answers of the source that goes on, and no older or single ones"""


def keep(connection: Connection, kept: Sequence[RawPayload]) -> list[int]:
    """Store different payloads, return their ids; the same answer again is counted and asks to be read again."""
    columns = [
        [p.source for p in kept], [p.dialect for p in kept], [p.resource for p in kept], [p.day for p in kept],
        [hashlib.sha256(p.body).hexdigest() for p in kept], [zlib.compress(p.body) for p in kept],
        [len(p.body) for p in kept], [p.fetched_at for p in kept],
    ]  # fmt: skip
    rows = connection.execute(
        """
        insert into raw_payloads as r
          (source, dialect, resource, day, sha256, body, size, first_fetched_at, last_fetched_at)
        select source, dialect, resource, day, sha256, body, size, at, at
        from unnest(%s::text[], %s::text[], %s::text[], %s::date[], %s::text[], %s::bytea[], %s::int[],
          %s::timestamptz[]) as t (source, dialect, resource, day, sha256, body, size, at)
        on conflict (source, resource, day, sha256) do update
          set times = r.times + 1, ingested_at = null,
              last_fetched_at = greatest(r.last_fetched_at, excluded.last_fetched_at)
        returning id
        """,
        columns,
    ).fetchall()
    return [int(row[0]) for row in rows]


def pending(connection: Connection) -> list[tuple[int, int]]:
    """(id, size in bytes) of payloads that were kept but not yet read, in the order they were fetched."""
    rows = connection.execute(
        "select id, size from raw_payloads where ingested_at is null order by last_fetched_at, id"
    ).fetchall()
    return [(int(row[0]), int(row[1])) for row in rows]


def load(connection: Connection, ids: Sequence[int]) -> list[tuple[int, RawPayload]]:
    """Those payloads that still wait to be read, in the order they were fetched, their rows locked."""
    rows = connection.execute(
        """
        select id, source, dialect, resource, day, last_fetched_at, body from raw_payloads
        where id = any(%s) and ingested_at is null order by last_fetched_at, id for update
        """,
        (list(ids),),
    ).fetchall()
    return [(row[0], RawPayload(row[1], row[2], row[3], row[4], row[5], zlib.decompress(row[6]))) for row in rows]


def mark_ingested(connection: Connection, ids: Sequence[int], now: dt.datetime) -> None:
    """Note that payloads were read, in the transaction that keeps what was read."""
    connection.execute("update raw_payloads set ingested_at = %s where id = any(%s)", (now, list(ids)))


def settled_days(connection: Connection, source: str) -> set[dt.date]:
    """Days last fetched at least a day after they ended: asking again would tell nothing new."""
    rows = connection.execute(
        """
        select day from raw_payloads where source = %s and resource not like %s
        group by day having max(last_fetched_at) >= (day + 2)::timestamp at time zone 'UTC'
        """,
        (source, f"{DETAIL}%"),
    ).fetchall()
    return {row[0] for row in rows}
