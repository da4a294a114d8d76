"""Connections: a pool that works through a transaction pooler and survives resets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from tipoff.errors import InputError, StorageError
from tipoff.storage import connecting

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = ConnectionPool[Connection]
STATEMENT_TIMEOUT = "60s"
LOCK_TIMEOUT = "10s"


def open_pool(
    dsn: str, max_size: int = 4, timeout: float = 20.0, *, reconnect: float = 300.0,
    statement_timeout: str = STATEMENT_TIMEOUT,
    check: Callable[[Connection], None] = ConnectionPool.check_connection, autocommit: bool = False,
) -> Pool:  # fmt: skip
    """An open pool; raises StorageError, without the password, when nobody answers within `timeout` seconds.

    `reconnect` is for how many seconds a lost connection is tried again before the next request has to begin anew.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise InputError(
            "DATABASE_URL is not a Postgres address (postgresql://user:password@host:port/name)"
        ) from error
    pool: Pool = ConnectionPool(
        dsn, min_size=1, max_size=max_size, open=False, timeout=timeout, check=check,
        configure=functools.partial(configure, statement_timeout=statement_timeout), reconnect_timeout=reconnect,
        kwargs={**connection_kwargs("tipoff"), "autocommit": autocommit}, connection_class=connecting.Connection,
    )  # fmt: skip
    try:
        pool.open(wait=True, timeout=timeout)
    except PoolTimeout as error:
        pool.close()
        where = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
        raise StorageError(f"no database answers at {where} within {timeout:g} s: check DATABASE_URL") from error
    return pool


def connection_kwargs(name: str) -> dict[str, Any]:
    """How every connection is made; nothing is prepared, so that a transaction pooler works."""
    return {"prepare_threshold": None, "application_name": name, "keepalives_idle": 30, "connect_timeout": 10}


def configure(connection: Connection, statement_timeout: str = STATEMENT_TIMEOUT) -> None:
    """UTC, and limits on how long a statement or a lock may take."""
    connection.execute(
        "select set_config('timezone', 'UTC', false), set_config('statement_timeout', %s, false), "
        "set_config('lock_timeout', %s, false)",
        (statement_timeout, LOCK_TIMEOUT),
    )
    connection.commit()
