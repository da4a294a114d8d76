"""Export: one snapshot of the database and the files of its models, while everything goes on working."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import tipoff
from tipoff.domain.progress import Progress, quiet
from tipoff.errors import InputError
from tipoff.ledger.chain import Head, timestamp
from tipoff.pipeline.transfer.archive import Writer, writing
from tipoff.pipeline.transfer.manifest import NAME, Manifest, Part, table_part
from tipoff.storage import ledger, models, transfer
from tipoff.storage.artifacts import ArtifactStore, key_of
from tipoff.storage.migrations import files
from tipoff.storage.pool import Connection, Pool

SAID_EVERY = 1000
"""rows between two words on progress"""


def export(pool: Pool, store: ArtifactStore, target: Path, now: dt.datetime, progress: Progress = quiet) -> Manifest:
    """Write the whole instance to `target`; one row is in memory at a time, and nothing is left where it fails.

    `pool` is that of the tables' owner. Raises InputError where it is not, where the schema is not that of this code
    or `target` is there already, ArtifactError where a model's file cannot be read (also where it was pruned
    meanwhile: then export again).
    """
    with writing(target) as writer, pool.connection() as connection, connection.transaction():
        transfer.begin_reading(connection)
        if not ledger.owns_ledger(connection):  # nobody else sees the last numbers that sequences gave
            raise InputError("an export reads as the owner of the tables: set TIPOFF_OWNER_DATABASE_URL")
        version = transfer.schema_version(connection)
        if version != files()[-1][0]:
            raise InputError(
                f"the schema is {version}, this Tipoff's is {files()[-1][0]}: run tipoff db migrate first"
            )
        parts = _tables(connection, writer, progress)
        parts |= _models(connection, store, writer)
        head = ledger.head(connection)
        manifest = Manifest(
            version, tipoff.__version__, timestamp(now),
            Head(head.seq, head.hash, ledger.content(head)["at"]) if head else None,
            transfer.sequences(connection), parts,
        )  # fmt: skip
        with writer.part(NAME) as out:
            out.write(manifest.written())
    progress(1.0, f"{len(parts)} parts")
    return manifest


def _tables(connection: Connection, writer: Writer, progress: Progress) -> dict[str, Part]:
    counts = transfer.counts(connection, transfer.EXPORTED)
    total, before = sum(counts.values()) or 1, 0
    parts = {}
    for table in transfer.tables(connection):
        name = table_part(table.name)

        def said(rows: int, done: int = before, table: str = table.name) -> None:
            progress(min(0.99, (done + rows) / total), f"{table}: {rows:,} rows")

        with writer.part(name) as out:
            # closed at once where writing fails: the connection that is copied from answers nobody else until then
            with (
                gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed,
                contextlib.closing(transfer.rows(connection, table)) as found,
            ):
                rows = _lines(found, packed.write, said)
            parts[name] = _part(out, rows)
        before += rows
    return parts


def _lines(rows: Iterable[str], write: Callable[[bytes], object], said: Callable[[int], None]) -> int:
    number = 0
    for number, row in enumerate(rows, start=1):
        write(row.encode() + b"\n")
        if number % SAID_EVERY == 0:
            said(number)
    said(number)
    return number


def _models(connection: Connection, store: ArtifactStore, writer: Writer) -> dict[str, Part]:
    """The files of every model that was not pruned."""
    parts = {}
    listed = models.listed(connection)
    for kind, sha256 in model_files((m.sha256, m.document) for m in listed if m.pruned_at is None):
        name = key_of(kind, sha256)
        with writer.part(name) as out:
            out.write(store.get(kind, sha256))
            parts[name] = _part(out, None)
    return parts


def model_files(kept: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, str]]:
    """(kind, SHA-256) of each file that models (SHA-256, document) need; several may share a state."""
    known = list(kept)
    return sorted({("document", sha256) for sha256, _ in known} | {("state", d["state_sha256"]) for _, d in known})


def _part(out: BinaryIO, rows: int | None) -> Part:
    """What was written, read back."""
    out.flush()
    with Path(out.name).open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
        return Part(written.tell(), sha256, rows)
