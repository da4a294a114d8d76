"""Between the database and the streams: one thread reads what changed, once for everybody who follows it.

Because that thread alone reads, one read after the other, and what it read reaches the event loop in that order, no
stream sees an older revision of a row after a newer one.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from tipoff.api.backend import Backend
from tipoff.api.live import topics
from tipoff.api.live.client import Client
from tipoff.api.live.schemas import Changes, LiveRow, Notice, NoticeType, Snapshot
from tipoff.storage import live, overview
from tipoff.storage.live import Change
from tipoff.storage.pool import Connection

TOGETHER = 0.05
"""seconds for which changes are collected before they are read together"""
AGAIN = 1.0
"""seconds after which a read that failed is tried again"""
LOST = "the database is away: what was sent may be old; a fresh snapshot follows when it is back"
EVERYBODY, READY, JOINED = "everybody", "those who had the whole", "those who have joined"
STOPPING = "this process stops: connect again"


@dataclasses.dataclass(slots=True)
class _Work:
    """What the thread is to read next."""

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
    """The whole of a topic, or what changed, and to which of its followers."""

    topic: str
    text: str
    to: str


class Hub:
    """One for a process. Clients belong to the event loop; `changed`, `look`, `lost` and `found` to any thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: set[Client] = set()
        self._condition = threading.Condition()
        self._followed: collections.Counter[str] = collections.Counter()
        self._work = _Work()
        self._lost = False
        self._shown: dict[str, dict[str, int]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Serve the streams of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Read nothing more."""
        self._stop.set()
        with self._condition:
            self._condition.notify()
        self._thread.join(timeout=1.0)

    def streams(self, principal: str | None = None) -> int:
        """How many are open, of everybody or of one."""
        if principal is None:
            return len(self._clients)
        return sum(client.principal == principal for client in self._clients)

    def join(self, client: Client, names: Iterable[str]) -> None:
        """Let a client follow topics: it gets the whole of each, then what changes."""
        self._clients.add(client)
        if self._stop.is_set():
            self._end(client)
            return
        new = set(names) - client.topics
        client.topics |= new
        with self._condition:
            self._followed.update(new)
            self._work.joined |= new
            lost = self._lost
            self._condition.notify()
        if lost:
            client.put(notice("lost", LOST))

    def leave(self, client: Client, names: Iterable[str]) -> None:
        """Let a client follow these topics no more."""
        gone = client.topics & set(names)
        client.topics -= gone
        client.ready -= gone
        with self._condition:
            self._followed -= collections.Counter(gone)

    def part(self, client: Client) -> None:
        """A stream has ended."""
        self.leave(client, set(client.topics))
        self._clients.discard(client)

    def end(self) -> None:
        """Every stream is told that this process stops, and ends; may be called in a signal handler."""
        self._stop.set()
        self._call(self._end_all)

    def _end_all(self) -> None:
        for client in self._clients:
            self._end(client)

    def _end(self, client: Client) -> None:
        client.put(notice("stopping", STOPPING))
        client.put(None)

    def _deliver(self, message: _Message) -> None:
        for client in self._clients:
            ready = message.topic in client.ready
            if message.topic in client.topics and message.to in (EVERYBODY, READY if ready else JOINED):
                client.put(message.text)
                client.ready.add(message.topic)

    def _tell_all(self, text: str) -> None:
        for client in self._clients:
            client.put(text)

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def changed(self, change: Change) -> None:
        """Rows have changed."""
        self._add(_Work(changes=[change]))

    def look(self) -> None:
        """Rows may have changed: nothing tells of it here."""
        self._add(_Work(compare=True))

    def found(self) -> None:
        """The database is back, and changes may have been missed: everybody gets everything afresh."""
        self._add(_Work(afresh=True))

    def lost(self) -> None:
        """The database is away: everybody is told, and gets everything afresh when it is back."""
        self._add(_Work(afresh=True))
        with self._condition:
            told, self._lost = self._lost, True
        if not told:
            text = notice("lost", LOST)
            self._call(lambda: self._tell_all(text))

    def _add(self, work: _Work) -> None:
        with self._condition:
            self._work.changes += work.changes
            self._work.compare |= work.compare
            self._work.afresh |= work.afresh
            self._condition.notify()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._condition:
                while not self._work and not self._stop.is_set():
                    self._condition.wait()
            self._stop.wait(TOGETHER)
            with self._condition:
                work, self._work = self._work, _Work()
                followed = list(self._followed)
            try:
                self._serve(work, followed)
            except Exception as error:  # noqa: BLE001 - whatever it was: said, and everything is read again
                if not self._lost:
                    self._backend.log.warning("live updates wait", error=f"{type(error).__name__}: {error}"[:300])
                self.lost()
                self._stop.wait(AGAIN)

    def _serve(self, work: _Work, followed: Sequence[str]) -> None:
        """Read in one moment, then deliver: changes to those who had the whole, the whole to those who had not."""
        messages: list[_Message] = []
        if followed:
            with self._backend.connection() as connection:
                live.one_moment(connection)
                at = overview.now(connection)
                if work.afresh:
                    messages = [self._whole(connection, at, topic, EVERYBODY) for topic in followed]
                else:
                    messages = [*self._changes(connection, at, work, followed)]
                    joined = [topic for topic in followed if topic in work.joined]
                    messages += [self._whole(connection, at, topic, JOINED) for topic in joined]
        if self._backend.away is None and work.afresh:
            self._lost = False
        for message in messages:
            self._call(functools.partial(self._deliver, message))

    def _whole(self, connection: Connection, at: dt.datetime, topic: str, to: str) -> _Message:
        rows = topics.whole(self._backend, connection, topic)
        return _Message(topic, Snapshot(topic=topic, at=at, rows=rows).model_dump_json(), to)

    def _changes(
        self, connection: Connection, at: dt.datetime, work: _Work, followed: Sequence[str]
    ) -> Iterator[_Message]:
        wanted: dict[str, set[str] | None] = {}
        for change in work.changes:
            for topic, ids in topics.touched(change, followed).items():
                before = wanted.get(topic, set())
                wanted[topic] = None if ids is None or before is None else before | ids
        for topic, ids in wanted.items():
            if ids is None:
                yield self._whole(connection, at, topic, READY)
            else:
                rows = topics.some(self._backend, connection, topic, sorted(ids))
                yield _changed(topic, at, rows, ids - {row.id for row in rows})
        if work.compare:
            yield from self._differences(connection, at, followed)

    def _differences(self, connection: Connection, at: dt.datetime, followed: Sequence[str]) -> Iterator[_Message]:
        """What is not as it was when it was looked at last."""
        shown = {topic: self._shown.get(topic) for topic in followed}
        self._shown = {}
        for topic, before in shown.items():
            rows = topics.whole(self._backend, connection, topic)
            unseen = set(before or ()) - {row.id for row in rows}
            rest = topics.some(self._backend, connection, topic, sorted(unseen)) if unseen else []
            self._shown[topic] = {row.id: row.revision for row in rows}
            if before is None:
                yield _changed(topic, at, rows, set())
                continue
            new = [row for row in [*rows, *rest] if row.revision != before.get(row.id)]
            gone = unseen - {row.id for row in rest}
            if new or gone:
                yield _changed(topic, at, new, gone)


def _changed(topic: str, at: dt.datetime, rows: list[LiveRow], gone: set[str]) -> _Message:
    return _Message(topic, Changes(topic=topic, at=at, rows=rows, gone=sorted(gone)).model_dump_json(), READY)


def notice(kind: NoticeType, detail: str = "") -> str:
    """A notice as it is sent."""
    return Notice(type=kind, at=dt.datetime.now(dt.UTC), detail=detail).model_dump_json()
