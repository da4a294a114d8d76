"""A deadline on this side for what the database is asked: a server that froze, or a network that swallows, ends here.

The server's own limits (statement_timeout) help only while it answers. Past its deadline a connection's socket is
shut down; whoever waits on it gets an error at once, and the pool takes another one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import psycopg

from tipoff.storage.pool import Connection


class Deadlines:
    """Connections that are being waited on; `cut` is called again and again by a thread that waits on none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, tuple[Connection, float, float]] = {}

    @contextlib.contextmanager
    def holding(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Whatever is asked on the connection in this block ends within `seconds` and a look of the cutter."""
        begun = time.monotonic()
        token = id(connection)
        with self._lock:
            before = self._held.get(token)
            deadline = begun + seconds
            self._held[token] = (connection, begun, min(deadline, before[2]) if before else deadline)
        try:
            yield
        finally:
            with self._lock:
                if before is None:
                    self._held.pop(token, None)
                else:
                    self._held[token] = before

    def cut(self, older_than: float | None = None) -> int:
        """Shut down what is past its deadline, or was begun more than `older_than` seconds ago; returns how many."""
        now = time.monotonic()
        gone = 0
        with self._lock:
            for connection, begun, deadline in self._held.values():
                if now > deadline or (older_than is not None and now - begun > older_than):
                    gone += shut(connection)
        return gone


def shut(connection: Connection) -> int:
    """Shut its socket down, whoever waits on it; how many that were (0: it was closed already)."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):  # it is closed already, which is what was wanted
        return 0
    return 1
