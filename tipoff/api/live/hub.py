"""Between the database and the streams: one thread reads what changed, once for everybody who follows it.

Because that thread alone reads, one read after the other, and what it read reaches the event loop in that order, no
stream sees an older revision of a row after a newer one.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import enum
import functools
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable

from tipoff.api.backend import FROZEN, Backend
from tipoff.api.live import topics
from tipoff.api.live.client import Client
from tipoff.api.live.schemas import Changes, LiveRow, Notice, NoticeType, Snapshot
from tipoff.storage import live
from tipoff.storage.live import Change
from tipoff.storage.pool import Connection

AGAIN = 1.0
"""seconds after which a read that failed is tried again"""
PORTION = 20
"""topics that were joined, read at a time"""
REMEMBERED = 500
"""rows of a topic that are compared where nothing tells of changes"""
LOST = "the database is away: what was sent may be old; a fresh snapshot follows when it is back"
UNREADABLE = "changes cannot be read now: what was sent may be old; a fresh snapshot follows"
STOPPING = "this process stops: connect again"


@dataclasses.dataclass(slots=True)
class _Work:
    """What is to be read next."""

    joined: set[str] = dataclasses.field(default_factory=set)
    """topics that have new followers"""
    changes: list[Change] = dataclasses.field(default_factory=list)
    compare: bool = False
    """changes are not told here: look for them"""
    afresh: bool = False
    """everybody needs the whole of everything"""

    def __bool__(self) -> bool:
        return bool(self.joined or self.changes or self.compare or self.afresh)


class _To(enum.Enum):
    """Which followers of a topic get a message."""

    JOINED = "those who joined it before it was read and have not had the whole"
    WITH_WHOLE = "those who have had the whole"
    BOTH = "either"
    ALL = "everybody, whatever they have had"


@dataclasses.dataclass(frozen=True, slots=True)
class _Message:
    """The whole of a topic, what changed in it, or a notice."""

    topic: str
    text: str
    to: _To
    joined_until: int = 0
    """number of the last who joined before it was read"""


class Hub:
    """One for a process. Clients belong to the event loop, `work` to the watcher's thread, the rest to any."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: set[Client] = set()
        self._numbers = itertools.count(1)
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._followed: collections.Counter[str] = collections.Counter()
        self._joined = 0
        self._work = _Work()
        self._lost = False
        self._later: dict[str, float] = {}
        """topics that could not be read, and when to try again"""
        self._shown: dict[str, dict[str, int]] = {}
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)

    # In the event loop

    def start(self) -> None:
        """Serve the streams of the running event loop."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Nobody waits for its bell any more."""
        self._bell.close()
        self._ringer.close()

    def streams(self, principal: str | None = None) -> int:
        """How many are open, of everybody or of one."""
        if principal is None:
            return len(self._clients)
        return sum(client.principal == principal for client in self._clients)

    def admit(self, client: Client) -> None:
        """A stream is open; `part` when it ends."""
        self._clients.add(client)

    def join(self, client: Client, names: Iterable[str]) -> None:
        """Let a client follow topics: it gets the whole of each, then what changes."""
        if self._ending.is_set():
            self._end(client)
            return
        new = set(names) - set(client.topics)
        number = next(self._numbers)
        client.topics.update(dict.fromkeys(new, number))
        with self._lock:
            self._followed.update(new)
            self._work.joined |= new
            self._joined = number
            lost = self._lost
        if lost:
            client.put(notice("lost", LOST))
        self.ring()

    def leave(self, client: Client, names: Iterable[str]) -> None:
        """Let a client follow these topics no more."""
        gone = set(client.topics) & set(names)
        for name in gone:
            del client.topics[name]
        client.ready -= gone
        with self._lock:
            self._followed -= collections.Counter(gone)

    def part(self, client: Client) -> None:
        """A stream has ended."""
        self.leave(client, list(client.topics))
        self._clients.discard(client)

    def _end(self, client: Client) -> None:
        client.put(notice("stopping", STOPPING))
        client.put(None)

    def _end_all(self) -> None:
        for client in self._clients:
            self._end(client)

    def _deliver(self, message: _Message) -> None:
        for client in self._clients:
            number = client.topics.get(message.topic)
            if number is None:
                continue
            had = message.topic in client.ready
            first = not had and number <= message.joined_until and message.to in (_To.JOINED, _To.BOTH)
            if first or message.to is _To.ALL or (had and message.to in (_To.WITH_WHOLE, _To.BOTH)):
                client.put(message.text)
            if first:
                client.ready.add(message.topic)

    def _tell_all(self, text: str) -> None:
        for client in self._clients:
            client.put(text)

    # From anywhere

    def end(self) -> None:
        """Every stream is told that this process stops, and ends; may be called in a signal handler."""
        self._ending.set()
        self._call(self._end_all)

    def changed(self, change: Change) -> None:
        """Rows have changed."""
        with self._lock:
            self._work.changes.append(change)

    def look(self) -> None:
        """Rows may have changed: nothing tells of it here."""
        with self._lock:
            self._work.compare = True

    def found(self) -> None:
        """The database is back, and changes may have been missed: everybody gets everything afresh."""
        with self._lock:
            self._work.afresh = True

    def lost(self) -> None:
        """The database is away: everybody is told, and gets everything afresh when it is back."""
        with self._lock:
            self._work.afresh = True
            told, self._lost = self._lost, True
        if not told:
            self._call(functools.partial(self._tell_all, notice("lost", LOST)))

    def ring(self) -> None:
        """Wake whoever waits on `fileno`: there is something to read, or the end."""
        with contextlib.suppress(OSError):  # it rings already, or nobody listens any more
            self._ringer.send(b"!")

    def hush(self) -> None:
        """It was heard."""
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)

    def fileno(self) -> int:
        """Readable once it was rung."""
        return self._bell.fileno()

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    # In the watcher's thread

    @property
    def due(self) -> bool:
        """Whether there is something to read now."""
        return bool(self._work) or any(at <= time.monotonic() for at in self._later.values())

    def work(self, connection: Connection) -> None:
        """Read what is due, on a connection in autocommit, and deliver it; raises where the connection is lost.

        Of many topics that were joined it reads a part and leaves the rest, so that changes never wait for long.
        """
        with self._lock:
            work, self._work = self._work, _Work()
            followed, joined = list(self._followed), self._joined
            here = [topic for topic in followed if topic in work.joined]
            self._work.joined |= set(here[PORTION:])
        now = time.monotonic()
        self._later = {topic: at for topic, at in self._later.items() if topic in self._followed}
        again = {topic for topic, at in self._later.items() if at <= now}
        anew = again | (set(followed) if work.afresh else set())
        wanted: dict[str, set[str]] = {}
        for change in work.changes:
            for topic, ids in topics.touched(change, followed).items():
                wanted.setdefault(topic, set()).update(ids or ())
                anew |= {topic} if ids is None else set()
        if work.afresh:
            self._lost = False
        for topic in sorted(anew | set(wanted)):
            self._attempt(
                connection, topic, functools.partial(self._renew, joined, topic in anew, wanted.get(topic), _To.BOTH)
            )
        for topic in here[:PORTION]:
            if topic not in anew:
                self._attempt(connection, topic, functools.partial(self._renew, joined, True, None, _To.JOINED))
        if work.compare:
            self._shown = {topic: shown for topic, shown in self._shown.items() if topic in self._followed}
            for topic in followed:
                self._attempt(connection, topic, self._compare)

    def _attempt(self, connection: Connection, topic: str, read: Callable[[Connection, str], None]) -> None:
        """Read of one moment; where it fails its followers are told and get the whole later, the others nothing."""
        if self._later.get(topic, 0.0) > time.monotonic():
            return
        try:
            with self._backend.deadlines.holding(connection, FROZEN), connection.transaction():
                live.one_moment(connection)
                read(connection, topic)
        except Exception as error:
            if connection.closed:
                raise
            said = f"{type(error).__name__}: {error}"[:300]
            self._backend.log.warning("a topic cannot be read", topic=topic, error=said)
            if topic not in self._later:
                self._send(_Message(topic, notice("lost", UNREADABLE), _To.ALL))
            self._later[topic] = time.monotonic() + AGAIN
        else:
            self._later.pop(topic, None)
        self._backend.answered()

    def _renew(
        self, joined: int, whole: bool, ids: set[str] | None, to: _To, connection: Connection, topic: str
    ) -> None:
        """The whole of a topic, and of `ids` those that are not in it."""
        rest = ids or set()
        if whole:
            rows = topics.whole(self._backend, connection, topic)
            text = Snapshot(topic=topic, at=dt.datetime.now(dt.UTC), rows=rows).model_dump_json()
            self._send(_Message(topic, text, to, joined))
            rest = rest - {row.id for row in rows}
        if rest:
            rows = topics.some(self._backend, connection, topic, sorted(rest))
            self._send(_changed(topic, rows, rest - {row.id for row in rows}))

    def _compare(self, connection: Connection, topic: str) -> None:
        """What is not as it was when it was looked at last."""
        known = self._shown.get(topic, {})
        rows = topics.whole(self._backend, connection, topic)
        unseen = set(known) - {row.id for row in rows}
        rows += topics.some(self._backend, connection, topic, sorted(unseen)) if unseen else []
        there = {row.id: row.revision for row in rows}
        gone = unseen - set(there)
        new = [row for row in rows if row.revision != known.get(row.id)]
        self._shown[topic] = dict(list(there.items())[:REMEMBERED])
        if new or gone:
            self._backend.cache.changed(topic.partition("/")[0])
            self._send(_changed(topic, new, gone))

    def _send(self, message: _Message) -> None:
        self._call(functools.partial(self._deliver, message))


def _changed(topic: str, rows: list[LiveRow], gone: set[str]) -> _Message:
    made = Changes(topic=topic, at=dt.datetime.now(dt.UTC), rows=rows, gone=sorted(gone))
    return _Message(topic, made.model_dump_json(), _To.WITH_WHOLE)


def notice(kind: NoticeType, detail: str = "") -> str:
    """A notice as it is sent."""
    return Notice(type=kind, at=dt.datetime.now(dt.UTC), detail=detail).model_dump_json()
