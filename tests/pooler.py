"""A pooler before Postgres: PgBouncer, where the machine has it."""

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
SIZES = {"transaction": 5, "session": 15}
"""connections to Postgres; Supabase's small plans give a session pooler 15"""


@contextlib.contextmanager
def pooled(
    dsn: str, port: int = PORT, mode: str = "transaction", *, size: int | None = None, loopback: bool = False
) -> Iterator[str]:
    """The address of the same database through a pooler of that mode; skips where there is no pgbouncer.

    It listens in a folder, or on loopback as a pooler elsewhere would.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed: .ci/run installs it where it can")
    to = conninfo_to_dict(dsn)
    password = f" password='{to['password']}'" if to.get("password") else ""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "pooler.ini").write_text(
            f"[databases]\n{to['dbname']} = host={to['host']} port={to['port']} user={to['user']}{password}\n"
            f"[pgbouncer]\nlisten_addr = {'127.0.0.1' if loopback else ''}\nunix_socket_dir = {folder}\n"
            f"listen_port = {port}\nauth_type = any\npool_mode = {mode}\n"
            f"default_pool_size = {size or SIZES[mode]}\nignore_startup_parameters = extra_float_digits\n"
        )
        as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
        with subprocess.Popen(
            [program, "-q", *as_nobody, str(folder / "pooler.ini")], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                address = f"host={folder} port={port} user={to['user']} dbname={to['dbname']}"
                if loopback:
                    address = f"postgresql://{to['user']}@127.0.0.1:{port}/{to['dbname']}"
                eventually(lambda: _answers(address), "pgbouncer to answer")
                yield address
            finally:
                process.terminate()


def _answers(address: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(address, prepare_threshold=None).close()
        return True
    return False
