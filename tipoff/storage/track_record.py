"""The track record as it was worked out last, one document a grouping."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Basis:
    """Up to which row of the ledger and which arrival of a result it was worked out."""

    ledger_seq: int
    last_arrival_id: int


def basis(connection: Connection) -> Basis:
    """As of now; both are 0 where there is nothing yet."""
    [row] = connection.execute(
        "select coalesce((select max(seq) from ledger), 0), coalesce((select max(arrival_id) from match_arrivals), 0)"
    ).fetchall()
    return Basis(int(row[0]), int(row[1]))


def kept_basis(connection: Connection, most: dt.timedelta) -> Basis | None:
    """Of what is kept; None where nothing is, or it was worked out longer ago than `most`."""
    row = connection.execute(
        "select ledger_seq, last_arrival_id from track_record where made_at > clock_timestamp() - %s "
        "order by ledger_seq, last_arrival_id limit 1",
        (most,),
    ).fetchone()
    return None if row is None else Basis(int(row[0]), int(row[1]))


def keep(connection: Connection, basis: Basis, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep documents by period, unless what is kept is newer."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into track_record as t (period, made_at, ledger_seq, last_arrival_id, document)
            values (%s, clock_timestamp(), %s, %s, %s)
            on conflict (period) do update set made_at = excluded.made_at, ledger_seq = excluded.ledger_seq,
              last_arrival_id = excluded.last_arrival_id, document = excluded.document
            where (t.ledger_seq, t.last_arrival_id) <= (excluded.ledger_seq, excluded.last_arrival_id)
            """,
            [(p, basis.ledger_seq, basis.last_arrival_id, Jsonb(made)) for p, made in sorted(documents.items())],
        )


def get(connection: Connection, period: str) -> tuple[dt.datetime, int, int, dict[str, Any]] | None:
    """(made at, last row of the ledger in it, rows since, document); None where nothing is kept."""
    row = connection.execute(
        "select made_at, ledger_seq, coalesce((select max(seq) from ledger), 0) - ledger_seq, document "
        "from track_record where period = %s",
        (period,),
    ).fetchone()
    return None if row is None else (row[0], int(row[1]), int(row[2]), row[3])
