"""A fresh private Postgres with the schema for a measurement, and the statements it was asked."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import open_pool

STATEMENT = re.compile(r"@([^@\n]*)@ LOG:  (?:statement|execute [^:\n]*): ((?:[^\n]*)(?:\n\t[^\n]*)*)")


@contextlib.contextmanager
def fresh_postgres() -> Iterator[PrivatePostgres]:
    """Started, migrated, and gone at the end."""
    with tempfile.TemporaryDirectory(prefix="tipoff-bench-") as home:
        Path(home).chmod(0o755)
        postgres = PrivatePostgres(Path(home))
        try:
            with contextlib.closing(open_pool(postgres.start())) as owners:
                migrate(owners)
            yield postgres
        finally:
            postgres.reset()


class Statements:
    """What the server is asked between `begin` and `taken`, as it logs it."""

    def __init__(self, postgres: PrivatePostgres) -> None:
        self._dsn, self._log, self._from = postgres.dsn, postgres.data.parent / "server.log", 0

    def begin(self) -> None:
        """Log every statement from now on."""
        self._set("alter system set log_line_prefix = '@%a@ '", "alter system set log_statement = 'all'")
        self._from = self._log.stat().st_size

    def taken(self) -> list[tuple[str, str]]:
        """(application, statement in lower case on one line) since `begin`; logging ends."""
        end = self._log.stat().st_size
        self._set("alter system reset log_line_prefix", "alter system reset log_statement")
        with self._log.open("rb") as log:
            log.seek(self._from)
            text = log.read(end - self._from).decode(errors="replace")
        return [(name, " ".join(what.split()).lower()) for name, what in STATEMENT.findall(text)]

    def _set(self, *statements: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
            connection.execute("select pg_reload_conf()")
            settled = "select count(*) from pg_settings where name = 'log_statement' and setting = %s"
            wanted = "all" if "all" in statements[-1] else "none"
        while True:  # a new connection reads the new configuration once the server has
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                if connection.execute(settled.encode(), (wanted,)).fetchone() == (1,):
                    return
