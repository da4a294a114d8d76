"""Brings a database to the schema of `supabase/migrations`, keeping the Supabase CLI's history table."""

from __future__ import annotations

import re
from pathlib import Path

from tipoff.errors import StorageError
from tipoff.storage.pool import Pool

INSTALLED = Path(__file__).parent / "schema"
"""where a wheel has what a checkout has in `supabase/migrations`"""
FOLDER = INSTALLED if INSTALLED.is_dir() else Path(__file__).parents[2] / "supabase" / "migrations"
LOCK = 7_204_019
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
        raise StorageError(f"no migrations in {folder}: install Tipoff's wheel, or run from a checkout")
    return found


def migrate(pool: Pool, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing, one transaction a file, under an advisory lock; returns the versions applied."""
    applied = []
    for version, name, sql in files(folder):
        with pool.connection() as connection, connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
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
