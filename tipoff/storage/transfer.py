"""A whole instance, table by table: which tables an export holds, their rows as JSON lines, and how they come back.

A row is a JSON object of its columns: bytea as base64, jsonb as the text of its JSON (so that a JSON null is not an
absent value), times with their offset, numbers as Postgres writes them. What Postgres computes itself is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from tipoff.errors import InputError
from tipoff.storage.pool import Connection

EXPORTED = (
    "raw_payloads", "quarantine", "players", "matches", "match_arrivals", "upcoming_matches",
    "match_details", "match_periods", "player_stats",
    "team_stats", "team_players", "odds_quotes", "odds_waiting", "model_registry", "filter_states",
    "model_performance", "feature_importance", "player_ratings", "ledger", "match_predictions", "track_record",
    "job_queue", "pipeline_jobs", "job_logs", "job_schedules", "schedule_ticks", "system_health", "health_findings",
    "alerts", "api_keys",
)  # fmt: skip
"""in an order in which every row finds what it refers to"""
NOT_EXPORTED = {
    "idempotency_keys": "answers that are repeated for a day, to clients of the instance that gave them",
    "webhooks": "addresses and secrets of others: they are made anew with tipoff webhooks add",
    "outbox": "messages of the old instance: it has told people, or still does; nobody is told twice",
    "deliveries": "tries to deliver the messages of the outbox",
    "job_workers": "workers that live now",
    "health_processes": "processes that live now",
    "forecast_revision": "a counter by which caches see that forecasts changed; it grows with the import",
}
"""why a table is not in an export"""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns that are exported, those of them that hold bytes, and its primary key."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: tuple[str, ...]


def tables(connection: Connection) -> list[Table]:
    """The exported tables as the catalogue describes them, in their order."""
    found = connection.execute(
        """
        select c.relname,
          array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped
            and attgenerated = '' order by attnum),
          array(select atttypid::regtype::text from pg_attribute where attrelid = c.oid and attnum > 0
            and not attisdropped and attgenerated = '' order by attnum),
          array(select a.attname::text from pg_index i, unnest(i.indkey) with ordinality as k (number, place)
            join pg_attribute a on a.attnum = k.number
            where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid order by k.place)
        from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname = any(%s)
        """,
        (list(EXPORTED),),
    ).fetchall()
    described = {name: Table(name, tuple(columns), tuple(types), tuple(key)) for name, columns, types, key in found}
    return [described[name] for name in EXPORTED]


def schema_version(connection: Connection) -> str:
    """The newest migration that was applied."""
    [(version,)] = connection.execute("select max(version) from supabase_migrations.schema_migrations").fetchall()
    return str(version)


def begin_reading(connection: Connection) -> None:
    """Until the transaction ends: one snapshot, nothing is written, however long it takes."""
    connection.execute("set transaction isolation level repeatable read, read only")
    connection.execute("set local statement_timeout = 0")
    connection.execute("set local timezone = 'UTC'")


def counts(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Rows of each table."""
    one = sql.SQL("select {}, count(*) from public.{}")
    query = sql.SQL(" union all ").join(one.format(name, sql.Identifier(name)) for name in names)
    return {name: int(rows) for name, rows in connection.execute(query).fetchall()}


def rows(connection: Connection, table: Table) -> Generator[str, None, None]:
    """Each row as a JSON object, in the order of the primary key; closed before the connection does anything else."""
    asked = sql.SQL("select {} from public.{} order by {}").format(
        sql.SQL(", ").join(map(_shown, table.columns, table.types)), sql.Identifier(table.name),
        sql.SQL(", ").join(map(sql.Identifier, table.key)),
    )  # fmt: skip
    query = sql.SQL("copy (select row_to_json(r)::text from ({}) r) to stdout").format(asked)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for (line,) in copy.rows():
            yield line


def _shown(column: str, kind: str) -> sql.Composed:
    name = sql.Identifier(column)
    if kind == "bytea":
        return sql.SQL("translate(encode({name}, 'base64'), E'\\n', '') as {name}").format(name=name)
    return sql.SQL("{name}::text as {name}" if kind in ("json", "jsonb") else "{name}").format(name=name)


def sequences(connection: Connection) -> dict[str, int]:
    """The last number that each sequence gave, where it gave any."""
    return {
        name: int(last)
        for name, last in connection.execute(
            "select sequencename::text, last_value from pg_sequences where schemaname = 'public' "
            "and last_value is not null order by 1"
        ).fetchall()
    }


def lock(connection: Connection) -> None:
    """Nobody else writes into the exported tables until the transaction ends; InputError where somebody does."""
    names = sql.SQL(", ").join(sql.Identifier("public", name) for name in EXPORTED)
    connection.execute("set local lock_timeout = '2s'")
    try:
        connection.execute(sql.SQL("lock table {} in exclusive mode").format(names))
    except psycopg.errors.LockNotAvailable as error:
        raise InputError("somebody is writing into this database: stop its web and workers first") from error
    connection.execute("set local statement_timeout = 0")
    connection.execute("set local timezone = 'UTC'")


def filled(connection: Connection) -> list[str]:
    """Exported tables that have rows."""
    one = sql.SQL("select {} where exists (select from public.{})")
    query = sql.SQL(" union all ").join(one.format(name, sql.Identifier(name)) for name in EXPORTED)
    return [row[0] for row in connection.execute(query).fetchall()]


def load(connection: Connection, table: Table, values: Iterable[Sequence[Any]]) -> None:
    """Add rows, each a value a column: inserts alone, so that every check and every guard of the table holds.

    Raises InputError where a row breaks one.
    """
    query = sql.SQL("copy public.{} ({}) from stdin").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    )
    try:
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in values:
                copy.write_row(row)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise InputError(
            f"nothing was imported: a row of {table.name} breaks a rule of the database: {error}"
        ) from error


def go_on(connection: Connection, last: Mapping[str, int]) -> None:
    """Let every sequence continue after the greatest number in its column and after the `last` that it gave."""
    found = connection.execute(
        """
        select s.relname::text, t.relname::text, a.attname::text
        from pg_class s
        join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype = 'i'
        join pg_class t on t.oid = d.refobjid
        join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
        where s.relkind = 'S' and s.relnamespace = 'public'::regnamespace
        union all
        select s.relname::text, t.relname::text, a.attname::text
        from pg_attrdef f
        join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
        join pg_class s on s.oid = d.refobjid and d.refclassid = 'pg_class'::regclass and s.relkind = 'S'
        join pg_class t on t.oid = f.adrelid
        join pg_attribute a on a.attrelid = t.oid and a.attnum = f.adnum
        where s.relnamespace = 'public'::regnamespace
        """
    ).fetchall()
    for sequence, table, column in found:
        if table in EXPORTED:
            connection.execute(
                sql.SQL(
                    "select setval({}, greatest(max({}), %(last)s)) from public.{} "
                    "having greatest(max({}), %(last)s) is not null"
                ).format(f"public.{sequence}", sql.Identifier(column), sql.Identifier(table), sql.Identifier(column)),
                {"last": last.get(sequence)},
            )
