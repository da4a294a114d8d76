"""The private Postgres: started, reused, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tipoff.errors import StorageError
from tipoff.storage import ledger
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import files, migrate, pending
from tipoff.storage.pool import Pool, open_pool


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    """A private Postgres of this test, not started."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as home:
        Path(home).chmod(0o755)
        postgres = PrivatePostgres(Path(home))
        yield postgres
        postgres.reset()


def test_it_is_reused_stopped_and_started_again(postgres: PrivatePostgres) -> None:
    """A second server on the same data, or data lost by a restart."""
    dsn = postgres.start()
    with psycopg.connect(dsn) as connection:
        connection.execute("create table kept as select 7 as n")
        first = connection.execute("select pg_postmaster_start_time()").fetchone()
    assert postgres.start() == dsn
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select pg_postmaster_start_time()").fetchone() == first
    assert postgres.stop()
    assert not postgres.stop()
    with psycopg.connect(postgres.start()) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_it_survives_being_killed(postgres: PrivatePostgres) -> None:
    """A stale pid file that keeps it down for ever, or acknowledged rows that are gone."""
    dsn = postgres.start()
    with psycopg.connect(dsn) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as n")
    pid = int((postgres.data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    with psycopg.connect(postgres.start()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (1000,)


def test_a_zombie_is_not_taken_for_a_server(postgres: PrivatePostgres) -> None:
    """A killed server that nobody reaps (a container without an init) keeps the database down for ever."""
    postgres.start()
    postgres.stop()
    user = "nobody" if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/true"], user=user) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        (postgres.data / "postmaster.pid").write_text(f"{dead.pid}\n{postgres.data}\n")
        with psycopg.connect(postgres.start()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_two_starters_get_one_server(postgres: PrivatePostgres) -> None:
    """Two servers on one data directory."""
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(postgres.start())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(answers) == 3


def test_it_listens_on_no_port(postgres: PrivatePostgres) -> None:
    """A database open to the network."""
    with psycopg.connect(postgres.start()) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)


def test_migrations_apply_once(dsn: str, pool: Pool) -> None:
    """A schema applied twice, history that the Supabase CLI can't read, or a status the application can't ask for."""
    with contextlib.closing(open_pool(dsn)) as owners:
        assert migrate(owners) == []
    assert pending(pool) == []
    with pool.connection() as connection:
        found = connection.execute("select version, name from supabase_migrations.schema_migrations").fetchall()
        open_tables = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' "
            "and not relrowsecurity"
        ).fetchall()
    assert ("20261124080000", "spine") in found
    assert open_tables == []


@pytest.mark.parametrize("privilege", ["createrole", "nocreaterole"])
def test_an_owner_that_is_no_superuser_can_migrate(server: PrivatePostgres, privilege: str) -> None:
    """Migrations that only run where somebody may do everything; the only role of a deployment can still seal."""
    name = f"hosted_{privilege}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"create role {name} login {privilege}".encode())
        connection.execute(f"create database {name} owner {name}".encode())
    dsn = server.dsn.replace("dbname=postgres", f"dbname={name}").replace("user=postgres", f"user={name}")
    with contextlib.closing(open_pool(dsn)) as pool:
        assert len(migrate(pool)) == len(files())
        with pool.connection() as connection:
            ledger.open_ledger(connection)
            assert ledger.owns_ledger(connection)
            assert ledger.first(connection) is not None


def test_a_role_that_may_not_migrate_is_told_who_may(dsn: str, application_dsn: str, tmp_path: Path) -> None:
    """A deployment whose first start, or whose upgrade, ends in a traceback."""
    (tmp_path / "20990101000000_more.sql").write_text("alter table ledger add column more text;")
    with (
        contextlib.closing(open_pool(application_dsn)) as pool,
        pytest.raises(StorageError, match=r"needs the owner .*: give its address as TIPOFF_OWNER_DATABASE_URL"),
    ):
        migrate(pool, tmp_path)


def test_nobody_there_is_named_without_the_password() -> None:
    """A password in an error message."""
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/x") as caught:
        open_pool("postgresql://me:hunter2@127.0.0.1:1/x", timeout=1)
    assert "hunter2" not in str(caught.value)


def test_a_long_migration_is_not_cut_short(dsn: str, tmp_path: Path) -> None:
    """An index on a grown table that no deploy can make, because it takes longer than a request may."""
    (tmp_path / "20991231000000_long.sql").write_text("select pg_sleep(0.5); create table made (n integer);")
    with contextlib.closing(open_pool(dsn, statement_timeout="100ms")) as pool:
        assert migrate(pool, tmp_path) == ["20991231000000"]
        with pool.connection() as connection:
            assert connection.execute("select current_setting('statement_timeout')").fetchone() == ("100ms",)


def test_a_version_is_of_one_file(tmp_path: Path) -> None:
    """Two files of the same moment, of which only one is ever applied."""
    for name in ("one", "other"):
        (tmp_path / f"20991231000000_{name}.sql").write_text("select 1")
    with pytest.raises(StorageError, match="20991231000000_other"):
        files(tmp_path)
