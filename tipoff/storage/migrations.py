"""Brings a database to the schema of `supabase/migrations`, keeping the Supabase CLI's history table."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

from tipoff.errors import StorageError
from tipoff.storage.pool import LOCK_TIMEOUT, Connection, Pool

INSTALLED = Path(__file__).parent / "schema"
"""where a wheel has what a checkout has in `supabase/migrations`"""
FOLDER = INSTALLED if INSTALLED.is_dir() else Path(__file__).parents[2] / "supabase" / "migrations"
LOCK = 7_204_019
PATIENCE = "15min"
"""how long a statement may take, and how long to wait for another process that migrates"""
LIMITS = "select set_config('statement_timeout', %(statement)s, true), set_config('lock_timeout', %(lock)s, true)"
NAME = re.compile(r"(\d{14})_(\w+)\.sql")


def files(folder: Path = FOLDER) -> list[tuple[str, str, str]]:
    """(version, name, SQL) of each migration, oldest first."""
    found: list[tuple[str, str, str]] = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise StorageError(f"{path} is not named <14 digits>_name.sql")
        if found and found[-1][0] == match[1]:
            raise StorageError(f"{path} has the version of another migration: each has its own 14 digits")
        found.append((match[1], match[2], path.read_text()))
    if not found:
        raise StorageError(f"no migrations in {folder}: install Tipoff's wheel, or run from a checkout")
    return found


def migrate(pool: Pool, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing, one transaction a file, under an advisory lock; returns the versions applied.

    Any number of processes may begin at once: each file is applied by one, and the others wait and find it done. A
    database as new as this code, or newer, is only looked at, so that a role that may not change it can begin too.
    Raises StorageError where the role may not change it.
    The Supabase CLI takes no lock. Where it applied a file while this one waited, its row in the history counts.
    """
    applied = []
    missing = set(pending(pool, folder))
    for version, name, sql in files(folder):
        if version not in missing:
            continue
        try:
            with pool.connection() as connection, connection.transaction():
                new = _apply(connection, version, name, sql)
        except psycopg.Error as error:
            if version in pending(pool, folder):
                if isinstance(error, psycopg.errors.InsufficientPrivilege):
                    raise StorageError(
                        f"migration {version} needs the owner of the database ({error}): give its address as "
                        "TIPOFF_OWNER_DATABASE_URL"
                    ) from error
                raise
            new = False
        if new:
            applied.append(version)
    return applied


def _apply(connection: Connection, version: str, name: str, sql: str) -> bool:
    """One file and its row in the history, in the caller's transaction; whether it was missing."""
    connection.execute(LIMITS, {"statement": PATIENCE, "lock": PATIENCE})
    connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
    connection.execute(LIMITS, {"statement": PATIENCE, "lock": LOCK_TIMEOUT})
    connection.execute("create schema if not exists supabase_migrations")
    connection.execute(
        "create table if not exists supabase_migrations.schema_migrations "
        "(version text not null primary key, statements text[], name text)"
    )
    if connection.execute(
        "select 1 from supabase_migrations.schema_migrations where version = %s", (version,)
    ).fetchone():
        return False
    connection.execute(sql.encode())
    connection.execute(
        "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
        (version, [sql], name),
    )
    return True


def pending(pool: Pool, folder: Path = FOLDER) -> list[str]:
    """Versions not yet applied."""
    with pool.connection() as connection:
        there = connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone()
        if there is None or there[0] is None:
            return [version for version, _, _ in files(folder)]
        rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
    known = {row[0] for row in rows}
    return [version for version, _, _ in files(folder) if version not in known]
