"""Many processes that begin at once, on a database that nobody has prepared."""

from __future__ import annotations

import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.jobs import WorkerProcess, eventually
from tests.web import WebProcess
from tipoff.storage import migrations, pool
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import open_pool

WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


@pytest.fixture
def bare(server: PrivatePostgres, request: pytest.FixtureRequest) -> str:
    """A database without anything in it."""
    name = f"bare_{abs(hash(request.node.name)) % 10**9}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    return server.dsn.replace("dbname=postgres", f"dbname={name}")


def test_two_webs_and_three_workers_on_a_bare_database(bare: str, tmp_path: Path) -> None:
    """A deployment whose processes fail as each brings the database to the schema, or of which one never comes up."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(2) as starters:
        gate = stack.enter_context(psycopg.connect(bare))
        gate.execute("select pg_advisory_xact_lock(%s)", (migrations.LOCK,))
        workers = [WorkerProcess(bare, tmp_path) for _ in range(3)]
        for worker in workers:
            stack.callback(worker.stop)
        webs = list(starters.map(lambda _: WebProcess(bare, tmp_path, wait=False), range(2)))
        for web in webs:
            stack.callback(web.stop)
        with psycopg.connect(bare, autocommit=True) as eye:
            eventually(lambda: eye.execute(WAITING).fetchone() == (5,), "all five to stand before the lock")
            gate.rollback()
            for web in webs:
                web.until_database("ok")
            for worker in workers:
                worker.ready()
            rows = eye.execute("select count(*), max(version) from supabase_migrations.schema_migrations").fetchone()
            assert rows == (len(migrations.files()), migrations.files()[-1][0])
            logged = [
                json.loads(line) for web in webs for line in web.log.read_text().splitlines() if "migrated" in line
            ]
            applied = [version for one in logged for version in one["versions"]]
            assert len(applied) == len(set(applied))


def test_who_waits_for_the_one_that_migrates_waits_long(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long migration during which every other process gives up, again and again."""
    monkeypatch.setattr(pool, "LOCK_TIMEOUT", "100ms")
    done: list[list[str]] = []
    with contextlib.closing(open_pool(bare)) as mine, psycopg.connect(bare) as gate:
        gate.execute("select pg_advisory_xact_lock(%s)", (migrations.LOCK,))
        thread = threading.Thread(target=lambda: done.append(migrations.migrate(mine)))
        thread.start()
        with psycopg.connect(bare, autocommit=True) as eye:
            eventually(lambda: eye.execute(WAITING).fetchone() == (1,), "it to wait")
            thread.join(0.5)
            assert thread.is_alive()
            gate.rollback()
        thread.join(30)
    assert [len(one) for one in done] == [len(migrations.files())]


def test_a_database_that_newer_code_has_migrated(dsn: str, application_dsn: str, tmp_path: Path) -> None:
    """A rolling deploy in which the old processes that start again fail; a role without rights that cannot start."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(
            "insert into supabase_migrations.schema_migrations (version, name) values ('29991231235959', 'newer')"
        )
    with contextlib.closing(open_pool(application_dsn)) as mine, psycopg.connect(dsn) as gate:
        gate.execute("select pg_advisory_xact_lock(%s)", (migrations.LOCK,))  # somebody migrates just now
        assert migrations.pending(mine) == []
        assert migrations.migrate(mine) == []
    web = WebProcess(application_dsn, tmp_path, TIPOFF_OWNER_DATABASE_URL=application_dsn)
    try:
        assert web.get("/api/matches").status_code == 200
        assert "29991231235959" in web.get("/api/system/health?fresh=true").json()["checks"]["database"]["message"]
    finally:
        assert web.stop() == 0
