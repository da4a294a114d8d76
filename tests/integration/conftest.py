"""One private Postgres for the whole run; each test gets a database of its own, copied from a template."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.jobs import WorkerProcess, workers
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import Pool, open_pool

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[PrivatePostgres]:
    """A running private Postgres in a home of its own, stopped and deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as home:
        Path(home).chmod(0o755)
        postgres = PrivatePostgres(Path(home))
        postgres.start()
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:  # no test here survives the machine
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        try:
            yield postgres
        finally:
            postgres.reset()


@pytest.fixture
def own() -> Iterator[PrivatePostgres]:
    """A Postgres for this test alone, with the schema, because it is stopped or worse."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as home:
        Path(home).chmod(0o755)
        postgres = PrivatePostgres(Path(home))
        with contextlib.closing(open_pool(postgres.start())) as pool:
            migrate(pool)
        try:
            yield postgres
        finally:
            postgres.reset()


@pytest.fixture(scope="session")
def template(server: PrivatePostgres) -> str:
    """Name of a database that has the schema."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("create database template_tipoff")
    pool = open_pool(server.dsn.replace("dbname=postgres", "dbname=template_tipoff"))
    try:
        migrate(pool)
    finally:
        pool.close()
    return "template_tipoff"


@pytest.fixture
def dsn(server: PrivatePostgres, template: str) -> str:
    """Address of a fresh database with the schema and no rows."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy".encode())
    return server.dsn.replace("dbname=postgres", f"dbname={name}")


@pytest.fixture
def application_dsn(dsn: str) -> str:
    """The same database for the application's role, which owns nothing."""
    return dsn.replace("user=postgres", "user=tipoff_app")


@pytest.fixture
def pool(application_dsn: str) -> Iterator[Pool]:
    """The application's pool on a fresh database."""
    pool = open_pool(application_dsn)
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture
def owner(dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection of the role that owns the tables, for tests that break in."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def effects(owner: object, pool: Pool) -> Pool:
    """A table without any uniqueness, in which doubles would show."""
    owner.execute(
        "create table effects (n integer, pid integer, attempt integer, at timestamptz default clock_timestamp())"
    )  # type: ignore[attr-defined]
    owner.execute("grant select, insert on effects to tipoff_app")  # type: ignore[attr-defined]
    return pool


@pytest.fixture
def worker(application_dsn: str, tmp_path: Path) -> Iterator[WorkerProcess]:
    """One worker that runs two jobs at a time."""
    with workers(application_dsn, tmp_path, 1, "--concurrency", "2", "--no-schedules", "--grace", "1") as [one]:
        yield one
