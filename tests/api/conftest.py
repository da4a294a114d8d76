"""One API process for a whole file of tests, on a database of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.conftest import application_dsn, dsn, owner, server, template
from tests.web import WebProcess
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool, open_pool

__all__ = ["application_dsn", "dsn", "owner", "server", "template"]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def shared_dsn(server: PrivatePostgres, template: str) -> str:
    """Address of one database for the file, for the application's role."""
    name = f"api_{next(_numbers)}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
    return server.dsn.replace("dbname=postgres", f"dbname={name}").replace("user=postgres", "user=tipoff_app")


@pytest.fixture(scope="module")
def web(shared_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """The process."""
    process = WebProcess(shared_dsn, tmp_path_factory.mktemp("web"), TIPOFF_HEALTH_EVERY="3600")
    try:
        yield process
    finally:
        assert process.stop() == 0, process.log.read_text()


@pytest.fixture(scope="module")
def kept_pool(shared_dsn: str) -> Iterator[Pool]:
    """A pool on the file's database."""
    pool = open_pool(shared_dsn)
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture
def pool(kept_pool: Pool) -> Pool:
    """The same, with no job and no key left from the test before."""
    with kept_pool.connection() as connection:
        connection.execute("delete from job_queue")
        connection.execute("delete from api_keys")
    return kept_pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home for one more process."""
    return tmp_path
