"""One thread and one connection: does the database answer, what does it tell, and what do streams need to be read."""

from __future__ import annotations

import select
import threading
import time

import psycopg

from tipoff.api.backend import FROZEN, Backend
from tipoff.api.live.hub import Hub
from tipoff.api.problems import AwayError
from tipoff.errors import TipoffError
from tipoff.storage import connecting, live
from tipoff.storage.database import addresses
from tipoff.storage.hearing import hears
from tipoff.storage.pool import Connection, configure, connection_kwargs

LOOK = 1.0
"""seconds between two looks whether it answers"""
TOGETHER = 0.05
"""seconds for which changes are collected before they are read together"""


class Watcher:
    """One for a process; `start` begins to look for the database and does not wait for it."""

    def __init__(self, backend: Backend, hub: Hub) -> None:
        self._backend, self._hub = backend, hub
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)

    def start(self) -> None:
        """Look for the database from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._hub.ring()
        self._backend.deadlines.cut(0.0)
        self._thread.join(timeout=LOOK)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                dsn, owner = addresses(self._backend.settings)
                self._backend.open(dsn, owner)
                self._follow(dsn)
            except (TipoffError, psycopg.Error, OSError) as error:
                self._lost(error)
            except Exception as error:
                self._backend.log.exception("watching the database failed")
                self._lost(error)

    def _lost(self, error: Exception) -> None:
        if not self._stop.is_set():
            self._backend.lost(error)
            self._hub.lost()
            self._stop.wait(LOOK)

    def _follow(self, dsn: str) -> None:
        kwargs = {**connection_kwargs("tipoff web"), "connect_timeout": 2, "autocommit": True}
        with connecting.Connection.connect(dsn, **kwargs) as connection:
            with self._backend.deadlines.holding(connection, FROZEN):
                configure(connection)
            self._backend.cache.forget()
            self._backend.answered()
            listening = self._listens(dsn, connection)
            self._missed()
            while not self._stop.is_set():
                with self._backend.deadlines.holding(connection, FROZEN):
                    connection.execute("select 1")
                self._backend.answered()
                with self._backend.deadlines.holding(connection, FROZEN):
                    self._backend.note_used(connection)
                self._hear(connection)
                if not listening:
                    self._hub.look()

    def _listens(self, dsn: str, connection: Connection) -> bool:
        """Listen, where that is of use; where it is not or cannot be found out now, changes are looked for."""

        def of_use(other: Connection) -> bool:
            with self._backend.deadlines.holding(connection, FROZEN):
                return hears(dsn, connection, other)

        try:
            if not self._backend.ask(of_use):
                return False
        except AwayError:
            return False
        with self._backend.deadlines.holding(connection, FROZEN):
            connection.execute(f"listen {live.CHANNEL}".encode())
        return True

    def _missed(self) -> None:
        """Anything may have changed."""
        self._backend.cache.forget()
        self._hub.found()

    def _hear(self, connection: Connection) -> None:
        """Pass on what is told and let the hub read, until the next look."""
        end = time.monotonic() + LOOK
        while not self._stop.is_set():
            self._hub.hush()
            busy = self._told(connection)
            if self._hub.due:
                busy = True
                self._hub.work(connection)
            left = end - time.monotonic()
            if left <= 0:
                return
            if busy or self._rung(connection, left):
                self._stop.wait(TOGETHER)

    def _rung(self, connection: Connection, seconds: float) -> bool:
        """Wait until something is told, or the hub rings; whether that was within `seconds`."""
        ear = select.poll()
        ear.register(connection.fileno(), select.POLLIN)
        ear.register(self._hub.fileno(), select.POLLIN)
        return bool(ear.poll(1000 * seconds))

    def _told(self, connection: Connection) -> bool:
        """Take what has been told; whether that was anything."""
        heard = False
        for told in connection.notifies(timeout=0):
            heard = True
            try:
                change = live.read(told.payload)
            except ValueError as error:
                self._backend.log.warning("a notification cannot be read", error=str(error)[:200])
                self._missed()
                continue
            self._backend.cache.changed(change.topic)
            self._hub.changed(change)
        if heard:
            self._backend.answered()
        return heard
