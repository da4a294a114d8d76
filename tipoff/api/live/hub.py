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
import functools
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from tipoff.api.backend import FROZEN, LONGEST, Backend
from tipoff.api.live import topics
from tipoff.api.live.client import Client
from tipoff.api.live.schemas import Changes, LiveRow, Notice, NoticeType, Snapshot
from tipoff.storage import live, overview
from tipoff.storage.live import Change
from tipoff.storage.pool import Connection

AGAIN = 1.0
"""seconds after which a read that failed is tried again"""
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Message:
    """The whole of a topic for those who joined it before it was read, or changes for those who had the whole."""

    topic: str
    text: str
    joined_until: int | None = None
    """number of the last who may have it as their first; None: changes"""
    everybody: bool = False
    """also those who had the whole already"""


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
        self._not_before = 0.0
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
            ready = message.topic in client.ready
            first = not ready and message.joined_until is not None and number <= message.joined_until
            if first or (ready and (message.everybody or message.joined_until is None)):
                client.put(message.text)
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

    def lost(self, why: str = LOST) -> None:
        """The database is away: everybody is told, and gets everything afresh when it is back."""
        with self._lock:
            self._work.afresh = True
            told, self._lost = self._lost, True
        if not told:
            self._call(functools.partial(self._tell_all, notice("lost", why)))

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
        return bool(self._work) and time.monotonic() >= self._not_before

    def work(self, connection: Connection) -> None:
        """Read what is due, on a connection in autocommit, and deliver it; raises where the connection is lost."""
        if not self.due:
            return
        with self._lock:
            work, self._work = self._work, _Work()
            followed, joined = list(self._followed), self._joined
        try:
            messages = self._read(connection, work, followed, joined) if followed else []
        except Exception as error:
            if connection.closed:
                raise
            self._backend.log.warning("changes cannot be read", error=f"{type(error).__name__}: {error}"[:300])
            self._not_before = time.monotonic() + AGAIN
            self.lost(UNREADABLE)
            return
        if work.afresh:
            self._lost = False
        for message in messages:
            self._call(functools.partial(self._deliver, message))

    def _read(self, connection: Connection, work: _Work, followed: Sequence[str], joined: int) -> list[_Message]:
        """In one moment: changes for those who had the whole, the whole for those who had not."""
        with self._backend.deadlines.holding(connection, LONGEST), connection.transaction():
            live.one_moment(connection)
            at = overview.now(connection)
            if work.afresh:
                return [self._whole(connection, at, topic, joined, everybody=True)[0] for topic in followed]
            messages = [*self._changes(connection, at, work, followed, joined)]
            new = [topic for topic in followed if topic in work.joined]
            return messages + [self._whole(connection, at, topic, joined)[0] for topic in new]

    def _rows(self, connection: Connection, topic: str, ids: Sequence[str] | None) -> list[LiveRow]:
        """Rows of a topic; that takes long for nobody, and the database has answered."""
        with self._backend.deadlines.holding(connection, FROZEN):
            found = (
                topics.whole(self._backend, connection, topic) if ids is None
                else topics.some(self._backend, connection, topic, ids)
            )  # fmt: skip
        self._backend.answered()
        return found

    def _whole(
        self, connection: Connection, at: dt.datetime, topic: str, joined: int, *, everybody: bool = False
    ) -> tuple[_Message, set[str]]:
        rows = self._rows(connection, topic, None)
        text = Snapshot(topic=topic, at=at, rows=rows).model_dump_json()
        return _Message(topic, text, joined, everybody), {row.id for row in rows}

    def _changes(
        self, connection: Connection, at: dt.datetime, work: _Work, followed: Sequence[str], joined: int
    ) -> Iterator[_Message]:
        wanted: dict[str, set[str]] = {}
        anew: set[str] = set()
        for change in work.changes:
            for topic, ids in topics.touched(change, followed).items():
                wanted.setdefault(topic, set()).update(ids or ())
                anew |= {topic} if ids is None else set()
        for topic, ids in wanted.items():
            rest = ids
            if topic in anew:
                message, shown = self._whole(connection, at, topic, joined, everybody=True)
                yield message
                rest = ids - shown
            if rest:
                rows = self._rows(connection, topic, sorted(rest))
                yield _changed(topic, at, rows, rest - {row.id for row in rows})
        if work.compare:
            yield from self._differences(connection, at, followed)

    def _differences(self, connection: Connection, at: dt.datetime, followed: Sequence[str]) -> Iterator[_Message]:
        """What is not as it was when it was looked at last."""
        before, self._shown = self._shown, {}
        for topic in followed:
            known = before.get(topic, {})
            rows = self._rows(connection, topic, None)
            unseen = set(known) - {row.id for row in rows}
            rows += self._rows(connection, topic, sorted(unseen)) if unseen else []
            there = {row.id: row.revision for row in rows}
            gone = unseen - set(there)
            new = [row for row in rows if row.revision != known.get(row.id)]
            self._shown[topic] = dict(list(there.items())[:REMEMBERED])
            if new or gone:
                self._backend.cache.changed(topic.partition("/")[0])
                yield _changed(topic, at, new, gone)


def _changed(topic: str, at: dt.datetime, rows: list[LiveRow], gone: set[str]) -> _Message:
    return _Message(topic, Changes(topic=topic, at=at, rows=rows, gone=sorted(gone)).model_dump_json())


def notice(kind: NoticeType, detail: str = "") -> str:
    """A notice as it is sent."""
    return Notice(type=kind, at=dt.datetime.now(dt.UTC), detail=detail).model_dump_json()
