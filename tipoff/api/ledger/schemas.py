"""What the API says of the ledger."""

from __future__ import annotations

import enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

ROW: dict[str, Any] = {
    "seq": 1, "prev": "0" * 64, "hash": "0f" * 32,
    "content": '{"at":"2026-11-01T00:00:00.000000Z","body":{"clock":"database","label":""},"kind":"open","seq":1}',
}  # fmt: skip


class Kind(enum.StrEnum):
    """What a row is."""

    OPEN = "open"
    SEAL = "seal"
    GRADE = "grade"


class LedgerRow(BaseModel):
    """A link of the chain: hash is SHA-256 over prev, a newline and content."""

    seq: int
    prev: str
    hash: str
    content: str = Field(description="Canonical JSON, exactly as hashed.")


class LedgerPage(BaseModel):
    """Rows of the chain in order, and its head: whoever keeps a head can prove any later rewriting."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ROW], "next_cursor": None, "head": ROW}]})

    items: list[LedgerRow]
    next_cursor: str | None
    head: LedgerRow | None
