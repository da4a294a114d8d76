"""Attempts to connect that failed: what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator

import psutil
import psycopg
import pytest

from tests.freezing import frozen
from tests.jobs import eventually
from tipoff.errors import StorageError
from tipoff.storage import connecting
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.lease import connect
from tipoff.storage.pool import open_pool


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Whatever only the garbage collector finds stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _directly(dsn: str) -> None:
    connecting.Connection.connect(dsn, connect_timeout=2)


def _by_a_pool(dsn: str) -> None:
    with contextlib.closing(open_pool(dsn, timeout=1.0)):
        raise AssertionError("a frozen server was connected to")


def _by_a_worker(dsn: str) -> None:
    asyncio.run(connect(dsn, "test"))


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("way", [_directly, _by_a_pool, _by_a_worker])
def test_a_frozen_server_keeps_no_attempt(own: PrivatePostgres, way: Callable[[str], None]) -> None:
    """Sockets that pile up while the server stands still, and fill its places when it wakes."""
    with frozen(own):
        before = psutil.Process().num_fds()
        with pytest.raises((psycopg.OperationalError, StorageError)):
            way(own.application_dsn)
        eventually(lambda: psutil.Process().num_fds() == before, "sockets of attempts to be closed")
