"""Servers of each version of Postgres that Supabase or Tipoff itself runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.jobs import eventually
from tests.web import free_port
from tipoff.storage.embedded import PrivatePostgres

VERSIONS = (15, 17, 18)
PASSWORD = "swordfish/ of: the@tests"
SUPERUSER = "admin"
OPTIONS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=40")


def binaries(version: int) -> Path:
    """The folder of its programs; skips where this machine has none, fails where it was said to have."""
    told = os.environ.get(f"TIPOFF_POSTGRES_{version}")
    if told:
        if not (Path(told) / "initdb").exists():
            pytest.fail(f"TIPOFF_POSTGRES_{version} is {told}, where there is no Postgres")
        return Path(told)
    if version == 18:
        with tempfile.TemporaryDirectory() as home:
            return PrivatePostgres(Path(home))._binaries()
    packaged = Path(f"/usr/lib/postgresql/{version}/bin")
    if not (packaged / "initdb").exists():
        pytest.skip(f"no Postgres {version} here: .ci/run fetches it where it can (TIPOFF_POSTGRES_{version})")
    return packaged


@contextlib.contextmanager
def serving(version: int) -> Iterator[str]:
    """The superuser's address of a server of that version on loopback, with a password; gone at the end."""
    programs = binaries(version)
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="tipoff-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "password").write_text(PASSWORD)
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8",
             "--locale=C", "-N", f"--pwfile={folder / 'password'}"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", env=environment, user=user,
        )  # fmt: skip
        port = free_port()
        settings = [part for option in (*OPTIONS, f"port={port}") for part in ("-c", option)]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", *settings], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd="/", env=environment, user=user,
            )  # fmt: skip
        address = f"postgresql://{SUPERUSER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        try:
            eventually(lambda: _answers(address, process, folder / "log"), "Postgres to answer")
            yield address
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


def _answers(address: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        psycopg.connect(address, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
