"""A worker says that it lives, so that its silence can be noticed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence

import psycopg

import tipoff
from tipoff.storage.lease import DatabaseAwayError, LeaseStore

EVERY = 5.0
"""seconds between two signs of life"""
LAST_WORD = 2.0
"""seconds that a worker which stops takes to say so"""


class Presence:
    """The row of one worker in `job_workers`."""

    def __init__(self, store: LeaseStore, types: Sequence[str], concurrency: int, running: Callable[[], int]) -> None:
        self._store, self._running = store, running
        self._fixed = {
            "host": socket.gethostname(), "pid": os.getpid(), "version": tipoff.__version__, "types": list(types),
            "concurrency": concurrency,
        }  # fmt: skip

    async def tell(self) -> None:
        """Now and again; a database that is away is told once it is back."""
        while True:
            with contextlib.suppress(DatabaseAwayError, psycopg.Error):
                await self._store.present({**self._fixed, "running": self._running()})
            await asyncio.sleep(EVERY)

    async def leave(self) -> None:
        """It stops on purpose: nobody is to miss it."""
        with contextlib.suppress(DatabaseAwayError, psycopg.Error, TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                await self._store.leave()
