"""Exports and heads as files: JSON lines, plain or gzip, that anybody can verify."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tipoff.errors import InputError, LedgerError
from tipoff.ledger.chain import Head, canonical
from tipoff.storage.ledger import LedgerRow

FIELDS = ("content", "hash", "prev", "seq")


def write_export(path: Path, rows: Iterable[LedgerRow]) -> int:
    """Write one canonical JSON line a row (gzip where the name ends in .gz); the file appears whole or not."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        raw = temporary.open("wb")
        with raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw as out:
            for row in rows:
                out.write(canonical(dataclasses.asdict(row)).encode() + b"\n")
                count += 1
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_export(path: Path) -> Iterator[LedgerRow]:
    """The rows of an export; raises LedgerError that names the line that is damaged."""
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _row(line, number, path)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise LedgerError(f"{path}: damaged after line {number}: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _row(line: bytes, number: int, path: Path) -> LedgerRow:
    try:
        values = json.loads(line)
        same = isinstance(values, dict) and canonical(values).encode() + b"\n" == line
    except ValueError:
        same = False
    if not same or sorted(values) != sorted(FIELDS) or not isinstance(values["seq"], int):
        raise LedgerError(f"{path}: line {number} is broken: it is not a row as Tipoff exports it")
    if not all(isinstance(values[name], str) for name in FIELDS[:3]):
        raise LedgerError(f"{path}: line {number} is broken: content, hash and prev are texts")
    return LedgerRow(values["seq"], values["prev"], values["hash"], values["content"])


def read_heads(path: Path) -> list[Head]:
    """Heads saved by `publish_head`, one JSON line each."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    heads = []
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            heads.append(Head(int(values["seq"]), str(values["hash"]), str(values["at"])))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: line {number} is not a saved head ({error})") from error
    if not heads:
        raise InputError(f"{path} holds no heads")
    return heads


def publish_head(head: Head, path: Path) -> bool:
    """Append the head to a file unless it is there already; whether it was new."""
    line = canonical(dataclasses.asdict(head))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and line in path.read_text().splitlines():
        return False
    with path.open("a") as out:
        out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())
    return True


def tag_head(head: Head, repository: Path) -> str:
    """A git tag `tipoff-ledger-<row>` in `repository` that says the hash; pushing it publishes the head."""
    name = f"tipoff-ledger-{head.seq}"
    done = subprocess.run(
        ["git", "-C", str(repository), "-c", "user.name=Tipoff", "-c", "user.email=tipoff@localhost", "tag",
         "-a", name, "-m", canonical(dataclasses.asdict(head))],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0 and "already exists" not in done.stderr:
        raise InputError(f"no tag could be set in {repository}: {done.stderr.strip()}")
    return name
