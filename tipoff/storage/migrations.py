"""Brings a database to the schema of `supabase/migrations`, keeping the Supabase CLI's history table."""

from __future__ import annotations

import re
from pathlib import Path

from tipoff.errors import StorageError
from tipoff.storage.pool import LOCK_TIMEOUT, Pool

FOLDER = Path(__file__).parents[2] / "supabase" / "migrations"
LOCK = 7_204_019
PATIENCE = "set local lock_timeout = '10min'; set local statement_timeout = '15min'"
"""for the one that migrates, and for those that wait for it"""
NAME = re.compile(r"(\d{14})_(\w+)\.sql")


def files(folder: Path = FOLDER) -> list[tuple[str, str, str]]:
    """(version, name, SQL) of each migration, oldest first."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise StorageError(f"{path} is not named <14 digits>_name.sql")
        found.append((match[1], match[2], path.read_text()))
    if not found:
        raise StorageError(f"no migrations in {folder}: run from a checkout of Tipoff")
    return found


def migrate(pool: Pool, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing, one transaction a file, under an advisory lock; returns the versions applied.

    Any number of processes may begin at once: one applies, the others wait for it and find it done. A database that
    is as new as this code, or newer, is only looked at, so that a role that may not change it can begin too.
    """
    applied = []
    missing = set(pending(pool, folder))
    for version, name, sql in files(folder):
        if version not in missing:
            continue
        with pool.connection() as connection, connection.transaction():
            connection.execute(PATIENCE)
            connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            connection.execute("select set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
            connection.execute("create schema if not exists supabase_migrations")
            connection.execute(
                "create table if not exists supabase_migrations.schema_migrations "
                "(version text not null primary key, statements text[], name text)"
            )
            known = connection.execute(
                "select 1 from supabase_migrations.schema_migrations where version = %s", (version,)
            ).fetchone()
            if known:
                continue
            connection.execute(sql.encode())
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
                (version, [sql], name),
            )
            applied.append(version)
    return applied


def pending(pool: Pool, folder: Path = FOLDER) -> list[str]:
    """Versions not yet applied."""
    with pool.connection() as connection:
        there = connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone()
        if there is None or there[0] is None:
            return [version for version, _, _ in files(folder)]
        rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
    known = {row[0] for row in rows}
    return [version for version, _, _ in files(folder) if version not in known]
