"""What an export says of itself: format, schema, every part with its rows and SHA-256, the head of the ledger."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from tipoff.ledger.chain import Head, canonical
from tipoff.pipeline.transfer.archive import Archive, refuse

NAME = "manifest.json"
FORMAT = 1
MOST = 1 << 24
"""bytes that a manifest may have"""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Bytes and SHA-256 of a part as it is stored, and its rows where it is a table."""

    bytes: int
    sha256: str
    rows: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """`schema_version` is the newest migration; `ledger` its newest row; `sequences` the last numbers given."""

    schema_version: str
    tipoff: str
    made_at: str
    ledger: Head | None
    sequences: dict[str, int]
    parts: dict[str, Part]
    format: int = FORMAT

    def written(self) -> bytes:
        """As the file: one line of canonical JSON that carries its own SHA-256."""
        values = dataclasses.asdict(self)
        return canonical({**values, "sha256": _sha256(values)}).encode() + b"\n"


def table_part(table: str) -> str:
    """The name of a table's part."""
    return f"tables/{table}.jsonl.gz"


def read_manifest(archive: Archive, schema_version: str) -> Manifest:
    """The manifest of an export that this code can read whole; raises InputError for any other."""
    if archive.sizes.get(NAME, MOST + 1) > MOST:
        refuse(archive.path, f"there is no {NAME} in it: it was cut short, or is no export")
    with archive.open(NAME) as file:
        text = file.read()
    values = _values(archive, text)
    if values["schema_version"] != schema_version:
        refuse(
            archive.path, f"its schema is {values['schema_version']}, this Tipoff's is {schema_version}: import with "
            "the Tipoff that made it, or bring the old instance to this version (tipoff db migrate) and export again",
        )  # fmt: skip
    try:
        parts = {name: Part(**part) for name, part in values["parts"].items()}
        head = Head(**values["ledger"]) if values["ledger"] else None
        manifest = Manifest(**{**values, "ledger": head, "parts": parts})
        whole = manifest.written() == text
    except (TypeError, AttributeError):
        whole = False
    if not whole:
        refuse(archive.path, f"{NAME} was changed")
    return manifest


def _values(archive: Archive, text: bytes) -> dict[str, Any]:
    """What the manifest says, without its SHA-256, which must be right."""
    try:
        values = json.loads(text)
        said, form = values.pop("sha256"), values["format"]
        unchanged = said == _sha256(values) and "schema_version" in values
    except (ValueError, AttributeError, KeyError, TypeError):
        refuse(archive.path, f"{NAME} was changed")
    if form != FORMAT:
        refuse(archive.path, f"its format is {form}, this Tipoff reads {FORMAT}: import with the Tipoff that made it")
    if not unchanged:
        refuse(archive.path, f"{NAME} was changed")
    return dict(values)


def _sha256(values: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(values).encode()).hexdigest()
