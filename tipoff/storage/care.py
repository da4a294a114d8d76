"""Sizes of tables, and their vacuuming."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql


def sizes(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Bytes of each of our tables, with its indexes."""
    rows = connection.execute(
        "select relname, pg_total_relation_size(oid) from pg_class "
        "where relkind = 'r' and relnamespace = 'public'::regnamespace"
    ).fetchall()
    return {row[0]: int(row[1]) for row in rows}


def vacuum(connection: psycopg.Connection[Any], table: str) -> None:
    """Vacuum and analyze one table; the connection commits by itself."""
    connection.execute(sql.SQL("vacuum (analyze) public.{}").format(sql.Identifier(table)))
