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


def keep(connection: Connection, payload_id: int, now: dt.datetime, rejected: Sequence[Rejected]) -> None:
    """Keep rejected rows in one statement; a repeat of the same row only counts."""
    keys = [(r.reason, hashlib.sha256(r.row.encode()).hexdigest()) for r in rejected]
    count = collections.Counter(keys)
    columns = [
        (r.index, r.reason, r.detail, r.external_id, r.row, key[1], count[key])
        for key, r in dict(zip(keys, rejected, strict=True)).items()
    ]
    if not columns:
        return
    connection.execute(
        """
        insert into quarantine as q (payload_id, row_index, reason, detail, external_id, row, row_sha256,
          times, first_seen_at, last_seen_at)
        select %s, t.row_index, t.reason, t.detail, t.external_id, t.row, t.row_sha256, t.times, %s, %s
        from unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
          %s::int[])
          as t (row_index, reason, detail, external_id, row, row_sha256, times)
        on conflict (reason, row_sha256) do update
          set times = q.times + excluded.times, last_seen_at = greatest(q.last_seen_at, excluded.last_seen_at)
        """,
        (payload_id, now, now, *(list(column) for column in zip(*columns, strict=True))),
    )
