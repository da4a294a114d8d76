"""The chain: canonical content, its hash, and verification from nothing.

Row n holds `prev` (the hash of row n - 1; row 1: 64 zeros), `content` (canonical JSON: sorted keys, no
spaces, ASCII) and `hash` = SHA-256(prev + newline + content). A chain proves order and content, not that it
is the first one written: whoever holds the database could write another. So its head (number and hash of the
newest row) is published, and `verify` compares with any saved head (Haber & Stornetta, "How to Time-Stamp a
Digital Document", Journal of Cryptology 1991).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from tipoff.storage.ledger import LedgerRow

GENESIS = "0" * 64
KINDS = {"open", "seal", "grade"}


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """Number and hash of a row that was the newest at the time `at` (ISO, UTC)."""

    seq: int
    hash: str
    at: str


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """The first row that does not verify, and why."""

    seq: int
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Verification:
    """What was found: `broken` is None when every row and every head agree."""

    rows: int
    head: Head | None
    clock: str | None
    label: str
    heads_compared: int
    broken: Broken | None


def canonical(value: Any) -> str:
    """The one way to write `value` as JSON; raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def timestamp(moment: dt.datetime) -> str:
    """UTC with microseconds, as the ledger writes every time."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest(prev: str, content: str) -> str:
    """The hash of a row."""
    return hashlib.sha256(f"{prev}\n{content}".encode()).hexdigest()


def verify(rows: Iterable[LedgerRow], heads: Sequence[Head] = ()) -> Verification:
    """Recompute every row in order and compare with saved heads; stops at the first that is broken."""
    saved: dict[int, set[str]] = {}
    for head in heads:
        saved.setdefault(head.seq, set()).add(head.hash)
    prev, at, count = GENESIS, "", 0
    newest: Head | None = None
    clock, label = None, ""
    for row in rows:
        reason, content = _fault(row, count + 1, prev, at)
        if reason is None and saved.get(row.seq, {row.hash}) != {row.hash}:
            reason = "it is not the row whose head was published: the record was rewritten here or before"
        if reason is not None:
            first = Broken(min(row.seq, count + 1), reason)
            return Verification(count, newest, clock, label, len(saved), first)
        if count == 0:
            clock, label = str(content["body"].get("clock")), str(content["body"].get("label", ""))
        count, prev, at = count + 1, row.hash, str(content["at"])
        newest = Head(row.seq, row.hash, at)
    cut = min((seq for seq in saved if seq > count), default=None)
    broken = None
    if cut is not None:
        broken = Broken(count + 1, f"it is missing: a head of row {cut} was published, the ledger ends at {count}")
    return Verification(count, newest, clock, label, len(saved), broken)


def _fault(row: LedgerRow, expected: int, prev: str, at: str) -> tuple[str | None, dict[str, Any]]:
    """Why `row` cannot be row `expected` of the chain (None: it can), and its content."""
    if row.seq != expected:
        return f"row {row.seq} stands where row {expected} belongs", {}
    if row.prev != prev:
        return "it does not continue the row before it", {}
    if digest(row.prev, row.content) != row.hash:
        return "its hash is not that of its content", {}
    try:
        content = json.loads(row.content)
    except ValueError:
        return "its content is not JSON", {}
    if not isinstance(content, dict) or canonical(content) != row.content:
        return "its content is not canonical JSON", {}
    if content.get("seq") != row.seq or content.get("kind") not in KINDS:
        return "its content is of another row", {}
    if (row.seq == 1) != (content["kind"] == "open"):
        return "a ledger begins with its only row of the kind open", {}
    if not isinstance(content.get("body"), dict) or str(content.get("at", "")) < at:
        return "its time lies before that of the row before it", {}
    if content["kind"] == "seal" and str(content["at"]) >= str(content["body"].get("start")):
        return "it was sealed after the start of its match", {}
    return None, content
