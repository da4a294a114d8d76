"""Posted prices from a file: JSON lines (a market with its quotes, or one quote) or CSV (one quote a row)."""

from __future__ import annotations

import csv
import datetime as dt
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


def read_quotes(path: Path) -> Iterator[Posted]:
    """Quotes of a file; raises InputError that names the line that cannot be read.

    A row holds bookmaker, market (a name of MARKETS), and external_id or start, player_a and player_b (or all); each
    quote t (ISO time with offset), line (not for the winner), over and under (1.91, -110 or 10/11).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    rows: Iterator[tuple[int, Any]] = _csv(text) if path.suffix.lower() == ".csv" else _json(text)
    for number, row in rows:
        try:
            yield from _quotes(json.loads(row) if isinstance(row, str) else row)
        except (ValueError, KeyError, TypeError, AttributeError, InputError, fields.BadRowError) as error:
            raise InputError(f"{path}: line {number} is not a market with quotes: {error!r}") from error


def _json(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip())


def _csv(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        yield number, {name: value for name, value in row.items() if value}


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
