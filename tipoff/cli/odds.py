"""`tipoff odds`: posted prices, for comparison with forecasts."""

from __future__ import annotations

from pathlib import Path

import typer

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, read_settings
from tipoff.cli.output import out, print_json
from tipoff.ingest.quotes import read_quotes
from tipoff.pipeline.prices import import_prices
from tipoff.storage import quotes

app = typer.Typer(no_args_is_help=True, help="Posted prices that forecasts are compared with.")
Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")


@app.callback()
def odds() -> None:
    """Posted prices that forecasts are compared with."""


@app.command(name="import")
def import_files(
    paths: list[Path] = typer.Argument(help="JSON lines, or CSV: see docs/posted-prices.md."), json: bool = Json
) -> None:
    """Store posted prices; what is known already is left alone, what has no match waits and is tried again."""
    found = [quote for path in paths for quote in read_quotes(path)]
    with database(read_settings()) as pool:
        done = import_prices(pool, found)
    if json:
        print_json(as_json(done))
        return
    out.print(f"{done.new} new quotes of {done.read}; {done.known} were known", highlight=False)
    for count, words in (
        (done.came, "had waited and have their match now"),
        (done.swapped, "name the sides the other way round"),
        (done.respelled, "spell a player in another way"),
    ):
        if count:
            out.print(f"{count} {words}", highlight=False)
    for reason, count in done.reasons.items():
        out.print(f"{count} wait: {reason} ({done.examples[reason]})", highlight=False)
    if done.waiting:
        out.print(f"{done.waiting} wait in all: tipoff odds waiting", highlight=False)


@app.command()
def waiting(json: bool = Json) -> None:
    """Quotes whose match was not found, with the reason; each import tries them again."""
    with database(read_settings()) as pool, pool.connection() as connection:
        found = quotes.waiting(connection)
    if json:
        print_json(as_json(found))
        return
    for one in found:
        p = one.posted
        line = "" if p.line is None else f" {p.line:g}"
        out.print(
            f"{p.quoted_at:%Y-%m-%d %H:%M:%S} UTC  {p.bookmaker}, {p.market}{line} at {p.over:g} / {p.under:g}: "
            f"{one.reason}, {one.detail}", highlight=False,
        )  # fmt: skip
    out.print(f"{len(found)} wait", highlight=False)
