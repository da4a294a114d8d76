"""Through Supabase's kinds of pooler: a session of one's own, or a connection for each transaction."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Iterator

import psycopg
import pytest

from tests.pooler import pooled
from tests.supabase.conftest import Servers
from tests.supabase.project import new_project
from tipoff.storage.hearing import hears
from tipoff.storage.migrations import files, migrate, pending
from tipoff.storage.pool import open_pool

OTHER_PORT = 6432


@pytest.fixture
def owner(servers: Servers) -> str:
    """The owner's direct address of an empty project."""
    return new_project(servers(17))


@contextlib.contextmanager
def reached(owner: str, how: str) -> Iterator[str]:
    """The same database directly, or through a pooler of that mode."""
    if how == "direct":
        yield owner
        return
    with pooled(owner, OTHER_PORT, how) as address:
        yield address


@pytest.mark.parametrize("how", ["session", "transaction"])
def test_migrations_run_through_it(owner: str, how: str) -> None:
    """A lock that is left behind on somebody else's connection; two deploys that start at the same moment."""
    with reached(owner, how) as address, concurrent.futures.ThreadPoolExecutor() as threads:

        def deploy() -> list[str]:
            with contextlib.closing(open_pool(address)) as pool:
                return migrate(pool)

        done = [threads.submit(deploy) for _ in range(3)]
        applied = [version for one in done for version in one.result(60)]
        assert sorted(applied) == [version for version, _, _ in files()]
        with contextlib.closing(open_pool(address)) as pool:
            assert pending(pool) == []
    with psycopg.connect(owner) as connection:
        assert connection.execute("select from pg_locks where locktype = 'advisory'").fetchall() == []


@pytest.mark.parametrize(("how", "heard"), [("direct", True), ("session", True), ("transaction", False)])
def test_it_is_found_out_whether_notifications_arrive(owner: str, how: str, heard: bool) -> None:
    """Silence that is taken for calm: a transaction pooler on a port that nobody expects."""
    with reached(owner, how) as address:
        kwargs = {"autocommit": True, "prepare_threshold": None}
        with psycopg.connect(address, **kwargs) as one, psycopg.connect(address, **kwargs) as other:
            found = [hears(address, one, other, 0.2 if not heard else 5.0) for _ in range(10)]
    assert found == [heard] * 10
