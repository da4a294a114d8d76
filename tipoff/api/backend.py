"""What every endpoint works with: the database and whether it answers, keys, limits, the cache of hot reads."""

from __future__ import annotations

import asyncio
import contextlib
import select
import threading
import time
import uuid
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from tipoff.api.access import Keys
from tipoff.api.cache import ReadCache
from tipoff.api.limiting import Limiter
from tipoff.api.metrics.served import Served
from tipoff.api.newest import NewestState
from tipoff.api.problems import AwayError
from tipoff.api.sessions import Sessions
from tipoff.jobs.service import JobService
from tipoff.jobs.types import job_types
from tipoff.settings import Settings
from tipoff.storage import keys
from tipoff.storage.deadlines import Deadlines
from tipoff.storage.keys import StoredKey
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import Connection, Pool, open_pool
from tipoff.storage.transitions import WAIT_BRIEFLY

T = TypeVar("T")
POOL = 3
"""connections of a web process: a session pooler allows 15 in all, and two web processes overlap in a deploy"""
PLACES = POOL + 1
"""requests that are worked on at once: one prepares or writes down while the others use the connections"""
PATIENCE = 10.0
"""seconds a request waits for its place"""
WAIT = 2.5
"""seconds a request with a place waits for a connection"""
OPENING = 5.0
CUT_EVERY = 0.25
CHECK = 1.0
"""seconds in which an idle connection must answer before it is used"""
TRUSTED = 1.0
"""seconds for which a connection that answered is used again without asking it, unless the server hung up"""
LAST = 1.5
"""seconds that a question may still take once this process stops"""
FROZEN = 3.0
"""seconds without an answer after which the database counts as away"""
STATEMENT_TIMEOUT = "10s"
LOST = -1.0
"""in place of the moment of the last answer, once it stopped answering"""
LONGEST = 12.0
"""seconds after which a request's connection is shut down from this side"""


class Backend:
    """One for a process; `tipoff.api.watcher` opens it and says whether the database answers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jobs = JobService(job_types(settings.job_modules))
        self.log = structlog.get_logger("tipoff.api")
        self.cache = ReadCache()
        self.served = Served()
        self.newest = NewestState()
        master = settings.operator_key.get_secret_value() if settings.operator_key else None
        self.keys = Keys(self._stored_key, master)
        self.sessions = Sessions(settings)
        self.limiter = Limiter(settings.reads_a_minute, settings.writes_a_minute, settings.failures_a_minute)
        self._pool: Pool | None = None
        self._places = asyncio.Semaphore(PLACES)
        self._queued = 0
        self.stopping = threading.Event()
        self.seen = threading.Event()
        """set once the database has answered"""
        self._stop = threading.Event()
        self._answered = -1e9
        self._why = "it is being looked for"
        self.deadlines = Deadlines()
        self._last_used: weakref.WeakKeyDictionary[Connection, float] = weakref.WeakKeyDictionary()
        self._cutter = threading.Thread(target=self._cut, name="deadlines", daemon=True)

    def start(self) -> None:
        """Keep deadlines from now on."""
        self._cutter.start()

    def stop(self) -> None:
        """Let go of the database."""
        self._stop.set()
        self.deadlines.cut(0.0)
        if self._pool is not None:
            self._pool.close(timeout=1.0)

    @property
    def away(self) -> str | None:
        """Why the database cannot be asked now; None where it answered just now."""
        if self._pool is not None and time.monotonic() - self._answered < FROZEN:
            return None
        return self._why

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A turn to work in a thread: who waits for one costs nothing, many threads get in each other's way."""
        self._queued += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self._places.acquire()
        except TimeoutError as error:
            raise AwayError("every connection is busy") from error
        finally:
            self._queued -= 1
        try:
            yield
        finally:
            self._places.release()

    def waiting(self) -> int:
        """Requests that wait for a place or a connection."""
        return self._queued + (self._pool.get_stats().get("requests_waiting", 0) if self._pool else 0)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection, in a transaction; raises AwayError at once where the database is known to be away."""
        with self._autocommitting() as connection, connection.transaction():
            yield connection

    @contextlib.contextmanager
    def _autocommitting(self) -> Iterator[Connection]:
        """A connection on which each statement is for itself: begin and commit would be two more waits."""
        why = self.away
        if why is not None or self._pool is None:
            raise AwayError(why or self._why)
        try:
            with self._pool.connection(timeout=WAIT) as connection, self.deadlines.holding(connection, LONGEST):
                yield connection
                self._last_used[connection] = time.monotonic()
        except PoolTimeout as error:
            raise AwayError("every connection is busy") from error

    def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer to a question that changes nothing."""
        with self._autocommitting() as connection:
            return question(connection)

    def pool_stats(self) -> dict[str, int]:
        """What psycopg_pool says of the connections; empty before there is a pool."""
        return dict(self._pool.get_stats()) if self._pool is not None else {}

    def writable(self) -> bool:
        """Whether there is any key that could write."""
        return self.keys.has_master or self.ask(keys.any_usable)

    def _stored_key(self, mark: str | uuid.UUID) -> StoredKey | None:
        if isinstance(mark, uuid.UUID):
            return self.ask(lambda connection: keys.usable_by_id(connection, mark))
        return self.ask(lambda connection: keys.usable(connection, mark))

    def open(self, dsn: str, owner: str) -> None:
        """Bring the database to the schema and open the pool, where that has not been done."""
        if self._pool is not None:
            return
        with contextlib.closing(open_pool(owner, max_size=1, timeout=OPENING)) as owners:
            applied = migrate(owners)
        if applied:
            self.log.info("migrated", versions=applied)
        self._pool = open_pool(
            dsn, POOL, OPENING, reconnect=1.0, statement_timeout=STATEMENT_TIMEOUT, check=self._checked,
            autocommit=True,
        )  # fmt: skip

    def answered(self) -> None:
        """It answers now; after an absence, connections of before are dead: no request shall try them in turn."""
        if self._answered == LOST and self._pool is not None:
            self._pool.drain()
        self._answered, self._why = time.monotonic(), "it does not answer"
        self.seen.set()

    def note_used(self, connection: Connection) -> None:
        """Keep when keys were used; where somebody holds their rows, the next look does it."""
        used = self.keys.take_used()
        try:
            if used:
                with connection.transaction():
                    connection.execute(WAIT_BRIEFLY)
                    keys.used(connection, used)
        except psycopg.errors.LockNotAvailable:
            self.keys.give_back(used)

    def _cut(self) -> None:
        """Let nobody wait beyond the deadline; nor so long while the database is away or this process stops."""
        while not self._stop.wait(CUT_EVERY):
            patience = LAST if self.stopping.is_set() else FROZEN if self.away is not None else None
            self.deadlines.cut(patience)

    def _checked(self, connection: Connection) -> None:
        """Ask a connection whether it is alive, unless it answered just now and the server has said nothing since."""
        answered = self._last_used.get(connection, -1e9)
        if time.monotonic() - answered < TRUSTED and not _heard(connection):
            return
        with self.deadlines.holding(connection, CHECK):
            Pool.check_connection(connection)

    def lost(self, error: Exception) -> None:
        """It does not answer any more, or has not yet."""
        if self._answered > 0 or "being looked for" in self._why:
            self.log.warning("database away", error=type(error).__name__)
        self._answered = LOST
        setting = "DATABASE_URL is not set" in str(error)
        self._why = str(error) if setting else "it does not answer"


def _heard(connection: Connection) -> bool:
    """Whether there is something to read, as when the server ends an idle connection."""
    ear = select.poll()
    ear.register(connection.fileno(), select.POLLIN)
    return bool(ear.poll(0))
