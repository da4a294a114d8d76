"""The `tipoff` command."""

from __future__ import annotations

import sys

import psycopg
import typer

from tipoff.cli import backtest, db, demo, insight, jobs, league, live, models, odds, record, up, worker
from tipoff.errors import TipoffError

app = typer.Typer(
    name="tipoff",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Honest, calibrated forecasts for NBA 2K eSports matches.\n\n"
    "Start with [bold]tipoff demo[/bold]: a simulated league, forecasts for its next matches, and a "
    "measurement of how good they are. For the real league: [bold]tipoff fetch[/bold], then "
    "[bold]tipoff train[/bold], then [bold]tipoff predict[/bold]; or [bold]tipoff up[/bold] for all of it, "
    "continuously.",
)
app.command()(demo.demo)
app.command()(up.up)
app.command()(live.fetch)
app.command()(live.train)
app.command()(live.predict)
app.command()(backtest.backtest)
app.command(name="serve-league")(league.serve_league)
app.command()(record.record)
app.command()(insight.why)
app.command(name="what-if")(insight.what_if)
app.command()(insight.ratings)
app.command()(insight.teams)
app.command()(insight.h2h)
app.command()(worker.worker)
app.add_typer(jobs.app, name="jobs")
app.add_typer(record.app, name="ledger")
app.add_typer(models.app, name="models")
app.add_typer(odds.app, name="odds")
app.add_typer(db.app, name="db")


def main() -> None:
    """Run a command; what went wrong on purpose is one clear message and exit code 1."""
    try:
        app()
    except TipoffError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except psycopg.OperationalError as error:
        sys.stderr.write(f"error: the database failed: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
