"""`tipoff odds`: posted prices, for comparison in the record."""

from __future__ import annotations

from pathlib import Path

import typer

from tipoff.cli.context import database, read_settings
from tipoff.cli.output import out
from tipoff.ingest.quotes import read_quotes
from tipoff.storage import quotes

app = typer.Typer(no_args_is_help=True, help="Posted prices that the record is compared with.")


@app.callback()
def odds() -> None:
    """Posted prices that the record is compared with."""


@app.command(name="import")
def import_file(path: Path = typer.Argument(help="JSON lines: bookmaker, market, external_id, quotes.")) -> None:
    """Store posted prices from a file; what is known already is left alone."""
    found = list(read_quotes(path))
    with database(read_settings()) as pool, pool.connection() as connection:
        new = quotes.keep(connection, found)
    out.print(f"{new} new quotes of {len(found)} in {path}", highlight=False)
