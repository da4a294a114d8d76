"""Whether notifications arrive: through a transaction pooler none does, and nothing says so."""

from __future__ import annotations

import uuid

from psycopg.conninfo import conninfo_to_dict

from tipoff.storage.pool import Connection

CHANNEL = "tipoff_probe"
TRANSACTION_POOLER = "6543"
"""Supabase's port of it: nothing is tried there, because what listens stays behind on its connections"""
WITHIN = 1.0


def hears(dsn: str, connection: Connection, other: Connection, within: float = WITHIN) -> bool:
    """Whether `connection` gets what `other`, of the same address, tells; both commit by themselves.

    What counts comes while `connection` does nothing: a pooler may pass on what comes during a query.
    """
    if str(conninfo_to_dict(dsn).get("port", "")) == TRANSACTION_POOLER:
        return False
    mark = uuid.uuid4().hex
    connection.execute(f"listen {CHANNEL}".encode())
    other.execute("select pg_notify(%s, %s)", (CHANNEL, mark))
    heard = False
    for told in connection.notifies(timeout=within):
        if told.payload == mark:
            heard = True
            break
    connection.execute(f"unlisten {CHANNEL}".encode())
    return heard
