"""Through Supabase's kinds of pooler: a session of one's own, or a connection for each transaction."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.jobs import enqueue, workers
from tests.pooler import pooled
from tests.simulated import BEGIN
from tests.streams import websocket
from tests.supabase.conftest import Servers
from tests.supabase.project import new_project
from tests.web import MASTER, WebProcess
from tipoff.clock import FixedClock
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.storage.hearing import hears
from tipoff.storage.lease import LeaseStore
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


@pytest.mark.parametrize("how", ["session", "transaction"])
def test_a_pipeline_and_live_pages(owner: str, how: str, tmp_path: Path) -> None:
    """A deployment from nothing with the one address that Supabase gives it: web, worker, streams, pages."""
    now = BEGIN + dt.timedelta(days=5, hours=18)
    with contextlib.ExitStack() as parts:
        address = parts.enter_context(reached(owner, how))
        url = parts.enter_context(league_server(LeagueApp(League(), FixedClock(now))))
        settings = {"TIPOFF_OWNER_DATABASE_URL": "", "TIPOFF_LEAGUE_URL": url, "TIPOFF_SPACING": "0"}
        web = WebProcess(address, tmp_path, **settings)
        parts.callback(web.stop)
        arguments = ("--no-schedules", "--concurrency", "1", "--at", now.isoformat())
        parts.enter_context(workers(address, tmp_path, 1, *arguments, **settings))
        stream, _ = parts.enter_context(websocket(web, "jobs"))
        job_id = web.post("/api/run-pipeline", json={"train_new_model": False, "history_days": 2}).json()["job_id"]
        assert stream.row("jobs", job_id, lambda row: row["finished_at"])["row"]["status"] == "completed"
        [player] = {match["player_a"] for match in web.get("/api/matches?limit=1").json()["items"]}
        assert player in web.get("/players").text
        assert job_id in web.get(f"/jobs/{job_id}", MASTER).text


def test_what_others_listen_to_is_not_kept(owner: str) -> None:
    """A worker that fills its memory with what a transaction pooler passes on to whoever is there."""
    with reached(owner, "transaction") as address, contextlib.closing(open_pool(owner)) as pool:
        migrate(pool)

        async def work() -> int:
            store = LeaseStore(address, "a worker", 8.0)
            for _ in range(20):
                enqueue(pool, "nothing")
                [claimed] = await store.settle(["nothing"], 1)
                done = asyncio.ensure_future(store.complete(claimed, {}, "done"))
                await asyncio.sleep(0)
                await store.settle([], 0)
                assert await done
            assert store._connection is not None
            kept = len(store._connection._notifies_backlog or [])
            await store.close()
            return kept

        with psycopg.connect(address, autocommit=True, prepare_threshold=None) as other:
            other.execute("listen tipoff_live")
            assert asyncio.run(work()) == 0
