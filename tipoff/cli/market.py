"""A comparison with posted prices as tables, from what `--json` says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.table import Table

from tipoff.cli.output import out, wide

Told = dict[str, Any]
NAMES = {"market": "market", "model": "forecast", "blend": "forecast and market"}


def market_tables(report: Told) -> None:
    """A table for each bookmaker's market, then its stakes and how its prices moved; the caution last."""
    left = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in report["left_out"].items())
    out.print(f"\n{report['prices']} posted prices; left out: {left or 'none'}", highlight=False)
    for group in report["groups"]:
        wide(_table(group))
        _stakes(group["stakes"])
        _moved(group["moved"])
    out.print(report["caution"], highlight=False)


def _table(group: Told) -> Table:
    table = Table(
        title=f"{group['bookmaker']}, {group['market']}: the forecast knows what was knowable at each price",
        title_justify="left", header_style="bold",
    )  # fmt: skip
    table.add_column("measure, with 95 % interval", no_wrap=True)
    for one in group["compared"]:
        table.add_column(f"{one['selection']} price", justify="right")
    for name, cell in _rows(group["compared"][0]):
        table.add_row(name, *(cell(one) for one in group["compared"]))
    return table


def _rows(first: Told) -> list[tuple[str, Callable[[Told], str]]]:
    rows: list[tuple[str, Callable[[Told], str]]] = [
        ("prices, matches, pushes", lambda one: f"{one['prices']}, {one['matches']}, {one['pushes']}"),
        ("median minutes before the start", lambda one: f"{one['minutes_ahead']:.0f}"),
        ("mean margin of the bookmaker", lambda one: f"{one['overround']:.1%}"),
    ]
    for measure, words, digits in (("log_loss", "log loss", 4), ("error", "MAE, points", 3)):
        rows += [(f"{words}: {NAMES[name]}", _reader(measure, name, digits)) for name in first[measure]]
        rows += [
            (f"  {NAMES[name]} less market", _reader(f"{measure}_difference", name, digits))
            for name in first[f"{measure}_difference"]
        ]
    return rows


def _reader(measure: str, name: str, digits: int) -> Callable[[Told], str]:
    return lambda one: _estimate(one[measure][name], digits, signed=measure.endswith("difference"))


def _estimate(found: Told, digits: int, *, signed: bool = False) -> str:
    if found["mean"] is None:
        return f"- (n={found['n']})"
    form = f"{'+' if signed else ''}.{digits}f"
    ends = "no interval" if found["low"] is None else f"{found['low']:{form}} to {found['high']:{form}}"
    return f"{found['mean']:{form}} ({ends}, n={found['n']})"


def _stakes(found: Told) -> None:
    if not found["bets"]:
        out.print("No price from which the forecast expects more than nothing.", highlight=False)
        return
    out.print(
        f"On paper, {found['bets']} bets, one a match at the first price from which the forecast expects more than "
        f"nothing:\n  return on a unit {_estimate(found['returned'], 3, signed=True)}, expected "
        f"{found['expected']['mean']:+.3f}\n  flat stakes: balance {found['flat_balance']:+.1f} units, deepest fall "
        f"{found['flat_drawdown']:.1f} units\n  quarter Kelly, at most 5 %: bankroll 1 becomes "
        f"{found['kelly_bankroll']:.2f}, deepest fall {found['kelly_drawdown']:.0%}", highlight=False,
    )  # fmt: skip


def _moved(found: Told) -> None:
    if not found["n"]:
        out.print("No price moved before its start.", highlight=False)
        return
    out.print(
        f"{found['n']} prices moved before the start, {found['towards']:.0%} of them towards the forecast "
        f"({found['towards_low']:.0%} to {found['towards_high']:.0%}): by "
        f"{_estimate(found['points'], 2, signed=True)} points; closing-line value "
        f"{_estimate(found['closing_value'], 3, signed=True)}", highlight=False,
    )  # fmt: skip
