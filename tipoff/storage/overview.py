"""What an installation holds, and how fresh that is."""

from __future__ import annotations

import dataclasses
import datetime as dt

from tipoff.storage.payloads import FEED
from tipoff.storage.pool import Connection

TABLES = (
    "raw_payloads", "quarantine", "players", "matches", "match_arrivals", "upcoming_matches", "model_registry",
    "ledger", "match_predictions", "job_queue",
)  # fmt: skip
COUNTED_UP_TO = 5_000
"""rows from which on the database's own estimate is taken instead of counting"""


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """Rows are (how many, whether counted exactly) by table."""

    database_version: str
    schema_version: str
    rows: dict[str, tuple[int, bool]]
    last_refresh: dt.datetime | None
    newest_result: dt.datetime | None
    data_source: str | None
    """what the raw archive calls the source that answered last"""
    as_of: dt.datetime


def now(connection: Connection) -> dt.datetime:
    """The database's clock."""
    [(moment,)] = connection.execute("select clock_timestamp()").fetchall()
    found: dt.datetime = moment
    return found


def overview(connection: Connection) -> Overview:
    """Versions, rows and freshness."""
    [(version, schema, refresh, result, source, moment)] = connection.execute(
        f"""
        select current_setting('server_version'),
          (select max(version) from supabase_migrations.schema_migrations),
          (select last_fetched_at from raw_payloads where {FEED} order by last_fetched_at desc limit 1),
          (select start_at from matches where status = 'final' and not older order by start_at desc limit 1),
          (select source from raw_payloads where {FEED} order by last_fetched_at desc limit 1), clock_timestamp()
        """
    ).fetchall()
    return Overview(version.split()[0], schema or "", rows(connection), refresh, result, source, moment)


def rows(connection: Connection) -> dict[str, tuple[int, bool]]:
    """How many rows each table has, and whether they were counted."""
    estimated: dict[str, int] = dict(
        connection.execute(
            "select relname, reltuples::bigint from pg_class where relnamespace = 'public'::regnamespace "
            "and relname = any(%s)",
            (list(TABLES),),
        ).fetchall()
    )
    small = [table for table in TABLES if estimated.get(table, 0) <= COUNTED_UP_TO]
    query = " union all ".join(
        f"select '{table}', count(*) from (select from {table} limit {COUNTED_UP_TO + 1}) as t" for table in small
    )
    counted: dict[str, int] = dict(connection.execute(query.encode()).fetchall())
    found = {}
    for table in TABLES:
        exact = counted.get(table, COUNTED_UP_TO + 1) <= COUNTED_UP_TO
        many = counted[table] if exact else max(estimated.get(table, 0), counted.get(table, 0))
        found[table] = (int(many), exact)
    return found
