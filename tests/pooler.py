"""A pooler before a private Postgres: PgBouncer, where the machine has it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.jobs import eventually

PORT = 6543


@contextlib.contextmanager
def pooled(dsn: str, mode: str = "transaction", size: int = 5, port: int | None = None) -> Iterator[str]:
    """The address of the same database through a pooler; skips where there is no pgbouncer.

    With a `port` it listens there on loopback, as a pooler elsewhere would, else in a folder.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed: .ci/run installs it where it can")
    to = conninfo_to_dict(dsn)
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "pooler.ini").write_text(
            f"[databases]\n{to['dbname']} = host={to['host']} port={to['port']} user={to['user']}\n"
            f"[pgbouncer]\nlisten_addr = {'127.0.0.1' if port else ''}\nunix_socket_dir = {folder}\n"
            f"listen_port = {port or PORT}\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n"
            "ignore_startup_parameters = extra_float_digits\n"
        )
        as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
        with subprocess.Popen(
            [program, "-q", *as_nobody, str(folder / "pooler.ini")], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                eventually((folder / f".s.PGSQL.{port or PORT}").exists, "pgbouncer to listen")
                address = f"host={folder} port={PORT} user={to['user']} dbname={to['dbname']}"
                if port:
                    address = f"postgresql://{to['user']}@127.0.0.1:{port}/{to['dbname']}"
                psycopg.connect(address, prepare_threshold=None).close()
                yield address
            finally:
                process.terminate()
