"""Rows that could not be believed."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Sequence

from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A row of a payload (index, or -1 for the whole payload) with a machine-readable reason.

    `row` is the JSON text of the row in ASCII, `external_id` what it called itself, if that can be read.
    """

    index: int
    reason: str
    detail: str
    external_id: str | None
    row: str


def keep(connection: Connection, rejected: Sequence[tuple[int, dt.datetime, Sequence[Rejected]]]) -> None:
    """Keep rejected rows of (payload id, when, rows) in one statement; a repeat of the same row only counts."""
    found: dict[tuple[str, str], tuple[int, Rejected, dt.datetime]] = {}
    count: collections.Counter[tuple[str, str]] = collections.Counter()
    last: dict[tuple[str, str], dt.datetime] = {}
    for payload_id, at, rows in rejected:
        for r in rows:
            key = (r.reason, hashlib.sha256(r.row.encode()).hexdigest())
            if key not in found or found[key][0] == payload_id:
                found[key] = (payload_id, r, at)
            count[key] += 1
            last[key] = max(last.get(key, at), at)
    if not found:
        return
    columns = [
        (payload_id, at, last[key], r.index, r.reason, r.detail, r.external_id, r.row, key[1], count[key])
        for key, (payload_id, r, at) in found.items()
    ]
    connection.execute(
        """
        insert into quarantine as q (payload_id, first_seen_at, last_seen_at, row_index, reason, detail, external_id,
          row, row_sha256, times)
        select * from unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::text[], %s::text[],
          %s::text[], %s::text[], %s::text[], %s::int[])
        on conflict (reason, row_sha256) do update
          set times = q.times + excluded.times, last_seen_at = greatest(q.last_seen_at, excluded.last_seen_at)
        """,
        [list(column) for column in zip(*columns, strict=True)],
    )
