"""Hot reads kept in this process: whole answers, forgotten when their topic changes, kept to be served as stale."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import hashlib
import threading
import time
import weakref
from collections.abc import Iterable

MOST = 2_000
"""answers kept; the oldest go first"""
BYTES = 16 * 1024 * 1024
"""bytes of all answers kept"""
LARGEST = 512 * 1024
"""bytes of an answer that is kept at most"""


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """An answer: its bytes and headers, when it was made (monotonic), for how long it is fresh, what it is about."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    etag: bytes
    made: float
    seconds: float
    topics: tuple[tuple[str, int], ...]


def etag_of(body: bytes) -> bytes:
    """A weak validator: the same content gives the same one, also when it is compressed on the way."""
    return b'W/"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'


def is_same(etag: bytes, if_none_match: bytes | None) -> bool:
    """Whether If-None-Match names what is there."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == b"*" or etag in [part.strip() for part in if_none_match.split(b",")]


class ReadCache:
    """By address; safe to use from many threads."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[str, Kept] = collections.OrderedDict()
        self._bytes = 0
        self._generation: dict[str, int] = {}
        self._lock = threading.Lock()
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def turn(self, address: str) -> asyncio.Lock:
        """One question at a time about an address; the others then find the answer."""
        lock = self._turns.get(address)
        if lock is None:
            lock = self._turns[address] = asyncio.Lock()
        return lock

    def look(self, address: str) -> tuple[Kept | None, bool]:
        """What is kept of an address, and whether it is fresh."""
        kept = self._kept.get(address)
        if kept is None:
            return None, False
        fresh = time.monotonic() - kept.made < kept.seconds and all(
            self._generation.get(topic, 0) == generation for topic, generation in kept.topics
        )
        return kept, fresh

    def marked(self, topics: Iterable[str]) -> tuple[tuple[str, int], ...]:
        """Topics as they are now: taken before the question is asked, so that a change meanwhile counts."""
        return tuple((topic, self._generation.get(topic, 0)) for topic in topics)

    def keep(self, address: str, kept: Kept) -> None:
        """Keep an answer, unless it is large."""
        if len(kept.body) > LARGEST:
            return
        with self._lock:
            before = self._kept.pop(address, None)
            self._kept[address] = kept
            self._bytes += len(kept.body) - (len(before.body) if before else 0)
            while len(self._kept) > MOST or self._bytes > BYTES:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.body)

    def changed(self, topic: str) -> None:
        """What is kept about this topic is no longer fresh."""
        with self._lock:
            self._generation[topic] = self._generation.get(topic, 0) + 1

    def forget(self) -> None:
        """Nothing that is kept is fresh: changes may have been missed."""
        for topic in {topic for kept in list(self._kept.values()) for topic, _ in kept.topics}:
            self.changed(topic)
