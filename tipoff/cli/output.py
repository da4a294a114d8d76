"""What people see: progress while work goes on, tables after it, JSON for scripts."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tipoff.domain.progress import Progress as Report

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)
PLAIN_STEP = 0.25
"""without a terminal a line is written each time that much more is done"""


def print_json(value: Any) -> None:
    """One JSON value on stdout and nothing else."""
    sys.stdout.write(json.dumps(value, allow_nan=False, default=str) + "\n")


@contextlib.contextmanager
def progress(title: str) -> Iterator[Report]:
    """A bar with remaining time on a terminal, a few plain lines elsewhere; both on stderr."""
    if not err.is_terminal:
        yield _plain(title)
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.fields[title]:<10}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), TextColumn("[dim]{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("", total=1.0, title=title)
        yield lambda share, message: bar.update(task, completed=share, description=message)


def _plain(title: str) -> Report:
    said = -1.0

    def say(share: float, message: str) -> None:
        nonlocal said
        if share - said >= PLAIN_STEP or (share >= 1.0 > said):
            said = share
            err.print(f"{title}: {share:4.0%} {message}", highlight=False)

    return say


def forecast_table(predicted: Sequence[dict[str, Any]], title: str, limit: int = 20) -> None:
    """The next matches, as `--json` says them: who, when (local, with zone), how likely, how high, at what odds."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("Start", "Player A", "Player B", "Teams", "P(A)", "Score", "Total (80 %)", "Fair odds"):
        table.add_column(name, no_wrap=name != "Teams", justify="right" if name in ("P(A)", "Score") else "left")
    for p in predicted[:limit]:
        table.add_row(
            local(dt.datetime.fromisoformat(p["start"])), p["player_a"], p["player_b"],
            f"{p['team_a'] or '?'} - {p['team_b'] or '?'}", f"{p['p_a']:.1%}",
            f"{p['mean_a']:.0f}-{p['mean_b']:.0f}",
            f"{p['total_mean']:.0f} ({p['total_low_80']:.0f}-{p['total_high_80']:.0f})",
            f"{p['fair_odds_a']:.2f} / {p['fair_odds_b']:.2f}",
        )  # fmt: skip
    wide(table)
    if len(predicted) > limit:
        out.print(f"and {len(predicted) - limit} more: tipoff predict --json", highlight=False)


def local(moment: dt.datetime) -> str:
    """Local time with its zone."""
    return moment.astimezone().strftime("%a %H:%M %Z")


def wide(table: Table) -> None:
    """A table as wide as it needs where there is no terminal to fit into."""
    if out.is_terminal:
        out.print(table)
    else:
        Console(width=150).print(table)


def measures_table(measured: dict[str, Any]) -> None:
    """A backtest's report: every measure a row, every model a column, the filter first."""
    window, models = measured["window"], measured["models"]
    table = Table(
        title=f"Walk-forward on {measured['matches']} matches, {window['first']} to {window['last']}; fitted until "
        f"{window['fit_until']}; forecast {window['lead']} min ahead",
        title_justify="left", header_style="bold",
    )  # fmt: skip
    table.add_column("measure", no_wrap=True)
    for model in models:
        table.add_column(model["name"], justify="right")
    for name, cell in ROWS:
        table.add_row(name, *(cell(model) for model in models))
    wide(table)


def _mean(name: str, digits: int) -> Callable[[dict[str, Any]], str]:
    return lambda model: _n(model["measures"][name]["mean"], digits)


def _share(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda model: f"{model['measures'][name]['mean']:.1%}"


def _interval(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda model: _ends(model["measures"][name]["low"], model["measures"][name]["high"])


def _ahead(model: dict[str, Any]) -> str:
    """By how much the first model's log loss is lower."""
    return "" if model["difference"] is None else _n(-model["difference"]["mean"])


def _ahead_interval(model: dict[str, Any]) -> str:
    if model["difference"] is None or model["difference"]["low"] is None:
        return ""
    return _ends(-model["difference"]["high"], -model["difference"]["low"])


def _ends(low: float | None, high: float | None) -> str:
    return f"{_n(low)} to {_n(high)}"


def _n(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("log loss", _mean("log_loss", 4)),
    ("  95 % interval", _interval("log_loss")),
    ("  the filter is better by", _ahead),
    ("  95 % interval", _ahead_interval),
    ("Brier", _mean("brier", 4)),
    ("accuracy", _share("hit")),
    ("ECE, 10 bins", lambda model: _n(model["ece"])),
    ("calibration slope", lambda model: _n(model["slope"], 3)),
    ("margin: MAE, points", _mean("margin_error", 3)),
    ("margin: CRPS", _mean("margin_crps", 3)),
    ("margin: 80 % interval covers", _share("margin_inside")),
    ("total: MAE, points", _mean("total_error", 3)),
    ("total: CRPS", _mean("total_crps", 3)),
    ("total: 80 % interval covers", _share("total_inside")),
    ("over/under log loss, median line", _mean("over_log_loss", 4)),
    ("cold-start log loss", lambda m: f"{_n(m['cold_log_loss']['mean'])} (n={m['cold_log_loss']['n']})"),
    ("seconds to fit", lambda model: _n(model["seconds_to_fit"], 2)),
    ("microseconds a match", lambda model: _n(model["microseconds_a_match"], 1)),
)
