"""Clocks that are passed in, so that nothing which learns or predicts reads the wall clock."""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in UTC."""

    def now(self) -> dt.datetime:
        """The present moment, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> dt.datetime:
        """The present moment in UTC."""
        return dt.datetime.now(dt.UTC)


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, at: dt.datetime) -> None:
        if at.tzinfo is None:
            raise ValueError(f"a clock needs a timezone-aware time, got {at!r}")
        self._at = at.astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        """The moment at which the clock stands."""
        return self._at

    def set(self, at: dt.datetime) -> None:
        """Move the clock to `at`."""
        self._at = at.astimezone(dt.UTC)


class SpeedClock:
    """A clock that starts at `at` and runs `speed` times as fast as real time (0 stands still)."""

    def __init__(self, at: dt.datetime, speed: float) -> None:
        self._at = at.astimezone(dt.UTC)
        self._speed = speed
        self._origin = time.monotonic()

    def now(self) -> dt.datetime:
        """The present moment of this clock in UTC."""
        return self._at + dt.timedelta(seconds=self._speed * (time.monotonic() - self._origin))
