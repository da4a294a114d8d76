"""The `tipoff` command."""

from __future__ import annotations

import importlib
import keyword
import sys
from typing import Any

import psycopg
import typer

from tipoff.errors import SettingsError, TipoffError
from tipoff.starting import REFUSED

COMMANDS = {
    "demo": "demo", "up": "up", "fetch": "live", "train": "live", "predict": "live", "backtest": "backtest",
    "serve-league": "league", "record": "record", "why": "insight", "what-if": "insight", "ratings": "insight",
    "teams": "insight", "h2h": "insight", "worker": "worker",
    "health": "health", "doctor": "doctor", "export": "transfer", "import": "transfer",
}  # fmt: skip
"""the module of each command, whose function has its name (with an underscore where Python keeps the word)"""
GROUPS = {
    "jobs": "jobs", "keys": "keys", "ledger": "record", "models": "models", "odds": "odds", "db": "db",
    "history": "history", "alerts": "health", "webhooks": "webhooks",
}  # fmt: skip
"""the module of each group of commands, whose `app` it is"""


def commands(wanted: str | None = None) -> typer.Typer:
    """All commands; or `wanted` alone, so that a worker starts without the compiler of the forecast."""
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
    app.callback()(lambda: None)  # a command alone is still a command by name
    for name, module in COMMANDS.items():
        if wanted in (None, name):
            function = f"{name}_" if keyword.iskeyword(name) else name.replace("-", "_")
            app.command(name=name)(getattr(_module(module), function))
    for name, module in GROUPS.items():
        if wanted in (None, name):
            app.add_typer(_module(module).app, name=name)
    return app


def _module(name: str) -> Any:
    return importlib.import_module(f"tipoff.cli.{name}")


def main() -> None:
    """Run a command; what went wrong on purpose is one clear message and exit code 1, and 2 where it is settings."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        commands(first if first in {*COMMANDS, *GROUPS} else None)()
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(REFUSED)
    except TipoffError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except psycopg.OperationalError as error:
        sys.stderr.write(f"error: the database failed: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
