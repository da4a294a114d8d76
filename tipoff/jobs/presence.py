"""A worker says that it lives, and how full its machine is, so that its silence can be noticed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg

import tipoff
from tipoff.health.machine import Gauge, Machine
from tipoff.health.probe import HungError, Probe
from tipoff.storage.lease import DatabaseAwayError, LeaseStore

EVERY = 5.0
"""seconds between two signs of life"""
LAST_WORD = 2.0
"""seconds that a worker which stops takes to say so"""


class Presence:
    """The row of one worker in `job_workers`."""

    def __init__(
        self, store: LeaseStore, home: Path, types: Sequence[str], concurrency: int, running: Callable[[], int]
    ) -> None:
        self._store, self._running, self._gauge = store, running, Gauge(home)
        self._probe: Probe[Machine] = Probe("machine")
        self._probe.start(self._gauge.look)
        self._fixed = {
            "host": socket.gethostname(), "pid": os.getpid(), "version": tipoff.__version__, "types": list(types),
            "concurrency": concurrency,
        }  # fmt: skip

    async def tell(self) -> None:
        """Now and again; a database that is away is told once it is back."""
        while True:
            with contextlib.suppress(DatabaseAwayError, psycopg.Error):
                await self._store.present({**self._fixed, "running": self._running(), "resources": self._resources()})
            await asyncio.sleep(EVERY)

    async def leave(self) -> None:
        """It stops on purpose: nobody is to miss it."""
        with contextlib.suppress(DatabaseAwayError, psycopg.Error, TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                await self._store.leave()

    def _resources(self) -> dict[str, Any]:
        """What the look begun at the sign of life before found: a disk that hangs must not hold the worker up."""
        try:
            found = self._probe.result(0.0).as_json()
        except (HungError, OSError) as error:
            found = {"error": str(error)}
        self._probe.start(self._gauge.look)
        return found
