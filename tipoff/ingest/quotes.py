"""Posted prices from a file: JSON lines (a market with its quotes, or one quote) or CSV (one quote a row)."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tipoff.domain.quote import Posted
from tipoff.errors import InputError
from tipoff.forecast.odds import read_price
from tipoff.ingest import fields

MARKETS = {
    "winner": "winner", "moneyline": "winner", "total": "total", "total_points": "total", "spread": "spread",
    "handicap": "spread", "team_total_a": "team_total_a", "team_total_b": "team_total_b",
}  # fmt: skip
FURTHEST = 500.0
WRONG = (
    ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, InputError, fields.BadRowError
)  # fmt: skip
"""what reading a row that is none may raise: a number too large for a float, lists in lists in lists"""
SHOWN = 300
"""characters of a message that quotes the file"""


def read_quotes(path: Path) -> Iterator[Posted]:
    """Quotes of a file; raises InputError that names the line that cannot be read.

    A row holds bookmaker, market (a name of MARKETS), and external_id or start, player_a and player_b (or all); each
    quote t (ISO time with offset), line (not for the winner), over and under (1.91, -110 or 10/11).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    rows: Iterator[tuple[int, Any]] = _csv(path, text) if path.suffix.lower() == ".csv" else _json(text)
    for number, row in rows:
        try:
            yield from _quotes(json.loads(row) if isinstance(row, str) else row)
        except WRONG as error:
            raise _unreadable(path, number, error) from error


def _unreadable(path: Path, number: int, error: Exception) -> InputError:
    said = repr(error)
    return InputError(f"{path}: line {number} is not a market with quotes: {said[:SHOWN]}")


def _json(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())


def _csv(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows without their empty cells; 107,5 without quotes is two cells, and then the last has no column."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = rows.fieldnames or ()
        if len(set(names)) < len(names):
            raise _unreadable(path, 1, ValueError("two columns have the same name"))
        for row in rows:
            if None in row:
                raise _unreadable(path, rows.line_num, ValueError(f"more cells than the {len(names)} columns"))
            yield rows.line_num, {name: value for name, value in row.items() if value}
    except csv.Error as error:
        raise _unreadable(path, rows.line_num + 1, error) from error


def _quotes(row: dict[str, Any]) -> Iterator[Posted]:
    market = MARKETS[row["market"]]
    bookmaker = fields.text(row, "bookmaker", "bad_bookmaker")
    named = (
        fields.optional_text(row, "external_id", "bad_id"),
        fields.start(row, "start") if row.get("start") is not None else None,
        fields.optional_text(row, "player_a", "bad_player"), fields.optional_text(row, "player_b", "bad_player"),
    )  # fmt: skip
    if named[0] is None and None in named[1:]:
        raise ValueError("a match is named by external_id, or by start, player_a and player_b")
    for quote in row.get("quotes", [row]):
        line = None if market == "winner" else float(quote["line"])
        if line is not None and (not -FURTHEST <= line <= FURTHEST or line * 2 != round(line * 2)):
            raise ValueError(f"a line is a whole or a half number of points, got {line!r}")
        yield Posted(*named, bookmaker, market, line, _price(quote["over"]), _price(quote["under"]), _moment(quote))


def _price(value: Any) -> float:
    return read_price(value if isinstance(value, str) else repr(float(value)))


def _moment(quote: dict[str, Any]) -> dt.datetime:
    return fields.start(quote, "t" if "t" in quote else "quoted_at")
