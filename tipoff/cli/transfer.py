"""`tipoff export` and `tipoff import`: a whole instance as one file, and back."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any

import typer

from tipoff.cli.context import owners_database, read_settings
from tipoff.cli.output import out, print_json, progress
from tipoff.clock import SystemClock
from tipoff.errors import LedgerError
from tipoff.pipeline.transfer.export import export as write
from tipoff.pipeline.transfer.manifest import Manifest
from tipoff.pipeline.transfer.restore import restore
from tipoff.pipeline.wiring import artifacts

Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")


def export(
    path: Path = typer.Argument(
        help="One file where the name ends in .tar, else a folder; it must not be there yet."
    ),
    json: bool = Json,
) -> None:
    """Write the whole instance (matches, raw payloads, models, ledger, jobs) while it goes on working."""
    settings = read_settings()
    for number in (signal.SIGTERM, signal.SIGHUP):  # a session that was cut off, too, leaves nothing behind
        signal.signal(number, signal.default_int_handler)
    with owners_database(settings) as pool, artifacts(settings) as store, progress("export") as report:
        manifest = write(pool, store, path, SystemClock().now(), report)
    if json:
        print_json(_said(path, manifest))
    else:
        out.print(f"{_words(manifest)} written to {path}", highlight=False)


def import_(path: Path = typer.Argument(help="What tipoff export wrote."), json: bool = Json) -> None:
    """Fill a new, empty instance from an export; one that was cut short or changed is refused whole."""
    settings = read_settings()
    with owners_database(settings) as pool, artifacts(settings) as store, progress("import") as report:
        done = restore(pool, store, path, report)
    broken = done.verified.broken
    if json:
        ledger = {"rows": done.verified.rows, "broken": broken and broken.reason, "mismatched": done.mismatched}
        print_json({**_said(path, done.manifest), "ledger": ledger})
    else:
        out.print(f"{_words(done.manifest)} imported from {path}", highlight=False)
    if broken is not None or done.mismatched:
        why = broken.reason if broken else f"match_predictions differs from it at row {done.mismatched[0]}"
        raise LedgerError(f"everything was imported as it was, and the ledger does not verify: {why}")
    if not json and done.manifest.ledger is not None:
        head = done.manifest.ledger
        out.print(f"the ledger verifies: {done.verified.rows} rows, head {head.seq} {head.hash}", highlight=False)


def _said(path: Path, manifest: Manifest) -> dict[str, Any]:
    return {"path": str(path), **dataclasses.asdict(manifest)}


def _words(manifest: Manifest) -> str:
    rows = sum(part.rows or 0 for part in manifest.parts.values())
    files = sum(part.rows is None for part in manifest.parts.values())
    size = sum(part.bytes for part in manifest.parts.values())
    return f"{rows:,} rows and {files} files of models ({size / 1e6:,.1f} MB)"
