"""Something that may hang, done in a thread of its own: cut off, said, and not begun again while it still hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class HungError(Exception):
    """It did not end in time, or an earlier one has not ended yet."""


class Probe(Generic[T]):
    """One thing at a time; `start` begins it, `result` waits for it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._begun, self._earlier = 0.0, False
        self._made: list[T] = []
        self._failed: list[Exception] = []

    def start(self, act: Callable[[], T]) -> None:
        """Begin, unless the one before still hangs: then the result is that."""
        self._earlier = self._thread is not None and self._thread.is_alive()
        if self._earlier:
            return
        made: list[T] = []
        failed: list[Exception] = []

        def run() -> None:
            try:
                made.append(act())
            except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
                failed.append(error)

        self._made, self._failed, self._begun = made, failed, time.monotonic()
        self._thread = threading.Thread(target=run, name=f"health {self._name}", daemon=True)
        self._thread.start()

    def result(self, patience: float) -> T:
        """What it came to within `patience` seconds of its beginning; raises HungError, or what it raised."""
        assert self._thread is not None  # noqa: S101 - it was started
        if self._earlier:
            raise HungError(f"an earlier one has not ended for {time.monotonic() - self._begun:.0f} s")
        self._thread.join(max(0.0, self._begun + patience - time.monotonic()))
        if self._thread.is_alive():
            raise HungError(f"it has not ended for {time.monotonic() - self._begun:.0f} s")
        if self._failed:
            raise self._failed[0]
        return self._made[0]
