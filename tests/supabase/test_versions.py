"""The ways through the house on each version of Postgres, as an owner that is no superuser made it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Iterator

import psycopg
import pytest

from tests.jobs import JOBS, enqueue, job
from tests.sealing import MINUTE, body, waiting
from tests.supabase.conftest import Servers
from tests.supabase.project import as_user, new_project
from tests.versions import PASSWORD, SUPERUSER, VERSIONS
from tests.wire import NOON, payload, row
from tipoff.domain.job import Job
from tipoff.ingest.ingest import ingest_pending
from tipoff.pipeline.watch import verify_database
from tipoff.storage import ledger, payloads
from tipoff.storage.lease import LeaseStore
from tipoff.storage.migrations import files, migrate
from tipoff.storage.pool import Pool, open_pool

USERS = ("tipoff_app", "postgres")


@pytest.fixture(scope="module", params=VERSIONS)
def migrated(request: pytest.FixtureRequest, servers: Servers) -> str:
    """The owner's address of a project that its owner migrated; tipoff_app has a password there too."""
    superuser = servers(request.param)
    address = new_project(superuser)
    with contextlib.closing(open_pool(address)) as owners:
        assert len(migrate(owners)) == len(files())
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"alter role tipoff_app password '{PASSWORD}'".encode())
    return address


@pytest.fixture(params=USERS)
def pool(request: pytest.FixtureRequest, migrated: str) -> Iterator[Pool]:
    """A pool of the role that owns nothing, and of the only role that a plain DATABASE_URL has."""
    with contextlib.closing(open_pool(as_user(migrated, request.param))) as made:
        yield made


def test_its_owner_needs_nothing_special(migrated: str) -> None:
    """An extension that Supabase does not have or puts elsewhere; rights that only a superuser has."""
    with psycopg.connect(migrated) as connection:
        assert connection.execute("select extname from pg_extension").fetchall() == [("plpgsql",)]
        assert connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (False,)
    with psycopg.connect(as_user(migrated, SUPERUSER)) as connection:
        foreign = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind <> 'i' "
            "and relowner <> 'postgres'::regrole"
        ).fetchall()
    assert foreign == []


def test_results_come_in(pool: Pool, request: pytest.FixtureRequest) -> None:
    """SQL that only the newest Postgres knows."""
    start = NOON + len(request.node.name) * 24 * 60 * MINUTE
    rows = [row(number, start=start + number * MINUTE) for number in range(1, 40)]
    later = start + 600 * MINUTE
    with pool.connection() as connection:
        payloads.keep(connection, [payload([*rows, {"externalId": "?"}], later, start.date())])
    found = ingest_pending(pool, later)
    assert (found.new, found.quarantined.total()) == (39, 1)


def test_jobs_are_done(pool: Pool) -> None:
    """A claim that takes nothing, or a completion that cannot be written."""
    first, second = enqueue(pool, "nothing"), enqueue(pool, "sleep")
    with pool.connection() as connection:
        JOBS.cancel(connection, second)

    async def work() -> Job:
        store = LeaseStore(pool.conninfo, "a worker", 8.0)
        [claimed] = await store.settle(["nothing", "sleep"], 5)
        done = asyncio.ensure_future(store.complete(claimed, {"n": 1}, "done"))
        await asyncio.sleep(0)
        await store.settle([], 0)
        assert await done
        await store.close()
        return claimed

    assert asyncio.run(work()).id == first
    assert (job(pool, first).status, job(pool, first).result) == ("completed", {"n": 1})
    assert job(pool, second).status == "cancelled"


def test_forecasts_are_sealed(pool: Pool, request: pytest.FixtureRequest) -> None:
    """Functions of the ledger that another version reads differently; a chain that does not verify."""
    with pool.connection() as connection:
        ledger.open_ledger(connection)
        [(now,)] = connection.execute("select clock_timestamp()").fetchall()
        made = waiting(connection, [now + dt.timedelta(minutes=m) for m in (5, 10, 40)], request.node.name)
        said = ledger.seal(connection, [body(one) for one in made])
    assert [one.isdigit() for one in said] == [True, True, False]
    found, mismatched, owns = verify_database(pool)
    assert (found.broken, mismatched) == (None, [])
    assert owns == ("postgres" in request.node.name)
    with (
        pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)),
        pool.connection() as c,
    ):
        c.execute("update ledger set content = content")
