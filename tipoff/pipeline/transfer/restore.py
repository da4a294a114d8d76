"""Import: everything is read and checked, then the models' files are stored, then all rows come in one transaction.

Where it ends before that transaction does, the database is as empty as before; files of models that were stored by
then are under their own SHA-256, nothing refers to them, and the next import stores the same ones again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tipoff.domain.progress import Progress, quiet
from tipoff.errors import InputError
from tipoff.ledger.chain import Verification
from tipoff.pipeline.transfer.archive import Archive
from tipoff.pipeline.transfer.manifest import Manifest, Part, read_manifest, table_part
from tipoff.pipeline.transfer.reading import check, model_file, values
from tipoff.pipeline.watch import verify_database
from tipoff.storage import ledger, transfer
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.migrations import files
from tipoff.storage.pool import Connection, Pool
from tipoff.storage.transfer import Table

SAID_EVERY = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Restored:
    """What came in, and whether the ledger verifies here against the head that the export names."""

    manifest: Manifest
    verified: Verification
    mismatched: list[int]


def restore(pool: Pool, store: ArtifactStore, path: Path, progress: Progress = quiet) -> Restored:
    """Fill an empty instance from an export; `pool` is that of the tables' owner.

    Raises InputError, and leaves the database as it was, where the export is not whole, is of another version, or the
    database holds rows.
    """
    archive = Archive(path)
    manifest = read_manifest(archive, files()[-1][0])
    with pool.connection() as connection:
        if not ledger.owns_ledger(connection):
            raise InputError("an import writes as the owner of the tables: set TIPOFF_OWNER_DATABASE_URL")
        require_empty(connection)
        tables = transfer.tables(connection)
    wanted = check(archive, manifest, tables, lambda share, said: progress(share / 2, said))
    for kind, sha256 in wanted:
        store.put(kind, model_file(archive, manifest, kind, sha256))
    with pool.connection() as connection, connection.transaction():
        transfer.lock(connection)
        require_empty(connection)
        _load(connection, archive, manifest, tables, progress)
        transfer.go_on(connection, manifest.sequences)
    verified, mismatched, _ = verify_database(pool, [manifest.ledger] if manifest.ledger else [])
    progress(1.0, "the ledger was verified")
    return Restored(manifest, verified, mismatched)


def require_empty(connection: Connection) -> None:
    """Raise InputError where a table that an import fills has rows."""
    filled = transfer.filled(connection)
    if filled:
        named = ", ".join(filled)
        raise InputError(
            f"this instance is not empty ({named}): import into a new database before anything runs on it"
        )


def _load(
    connection: Connection, archive: Archive, manifest: Manifest, tables: Sequence[Table], progress: Progress
) -> None:
    total, before = sum(part.rows or 0 for part in manifest.parts.values()) or 1, 0
    for table in tables:
        part = manifest.parts[table_part(table.name)]

        def said(rows: int, done: int = before, table: str = table.name) -> None:
            progress(0.5 + min(0.49, (done + rows) / total / 2), f"{table}: {rows:,} rows")

        transfer.load(connection, table, _counted(archive, part, table, said))
        before += part.rows or 0


def _counted(archive: Archive, part: Part, table: Table, said: Callable[[int], None]) -> Iterator[list[Any]]:
    for number, row in enumerate(values(archive, part, table), start=1):
        yield row
        if number % SAID_EVERY == 0:
            said(number)
