"""Reading an export: every part is held against the manifest, row by row, before anybody believes it."""

from __future__ import annotations

import base64
import collections
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from tipoff.domain.progress import Progress
from tipoff.pipeline.transfer.archive import Archive, refuse
from tipoff.pipeline.transfer.export import model_files
from tipoff.pipeline.transfer.manifest import NAME, Manifest, Part, table_part
from tipoff.storage.artifacts import key_of
from tipoff.storage.transfer import Table


def values(archive: Archive, part: Part, table: Table) -> Iterator[list[Any]]:
    """The rows of a table, each a value a column; raises InputError at the latest at its end where it was changed."""
    name, number = table_part(table.name), 0
    with archive.open(name) as section:
        buffered = io.BufferedReader(section)
        try:
            with gzip.GzipFile(fileobj=buffered, mode="rb") as lines:
                for line in lines:
                    number += 1
                    yield _values(line, table)
        except (EOFError, OSError, zlib.error, ValueError) as error:
            refuse(archive.path, f"{name} was changed or cut short after row {number}: {error}")
        if section.drain() != part.sha256:
            refuse(archive.path, f"{name} was changed: its SHA-256 is not the manifest's")
    if number != part.rows:
        refuse(archive.path, f"{name} has {number} rows, the manifest says {part.rows}")


def _values(line: bytes, table: Table) -> list[Any]:
    """Numbers stay the text they are, so that none is rounded; raises ValueError where a row is none of the table."""
    row = json.loads(line, parse_int=str, parse_float=str)
    if not isinstance(row, dict) or tuple(row) != table.columns:
        raise ValueError(f"its columns are not those of {table.name}")
    return [
        base64.b64decode(value, validate=True) if kind == "bytea" and value is not None else value
        for value, kind in zip(row.values(), table.types, strict=True)
    ]


def check_names(archive: Archive, manifest: Manifest, tables: Sequence[Table]) -> None:
    """Every table has its part; nothing is missing, nothing there that the manifest does not name."""
    sizes = archive.sizes
    resized = {name for name, part in manifest.parts.items() if sizes.get(name) != part.bytes}
    for what, names in (
        ("is missing", manifest.parts.keys() - sizes.keys()),
        ("does not belong to it", sizes.keys() - manifest.parts.keys() - {NAME}),
        ("is missing", {table_part(table.name) for table in tables} - manifest.parts.keys()),
        ("was changed or cut short", resized),
    ):  # fmt: skip
        if names:
            refuse(archive.path, f"{min(names)} {what}")


def check(archive: Archive, manifest: Manifest, tables: Sequence[Table], progress: Progress) -> list[tuple[str, str]]:
    """Read everything once; returns (kind, SHA-256) of the models' files. Raises InputError at the first fault."""
    check_names(archive, manifest, tables)
    wanted: list[tuple[str, str]] = []
    for number, table in enumerate(tables):
        progress(number / len(tables), f"checking {table.name}")
        rows = values(archive, manifest.parts[table_part(table.name)], table)
        if table.name == "model_registry":
            registry = [dict(zip(table.columns, row, strict=True)) for row in rows]
            wanted = model_files((m["sha256"], json.loads(m["document"])) for m in registry if not m["pruned_at"])
        collections.deque(rows, maxlen=0)
    named = {table_part(table.name) for table in tables} | {key_of(*file) for file in wanted}
    if strange := named ^ manifest.parts.keys():
        refuse(archive.path, f"{min(strange)} is not what its models need")
    for kind, sha256 in wanted:
        model_file(archive, manifest, kind, sha256)
    return wanted


def model_file(archive: Archive, manifest: Manifest, kind: str, sha256: str) -> bytes:
    """A model's file, which must be what its name says."""
    name = key_of(kind, sha256)
    with archive.open(name) as section:
        content = section.read()
        if not section.drain() == sha256 == manifest.parts[name].sha256:
            refuse(archive.path, f"{name} was changed: its SHA-256 is not its name")
    return content
