"""Posted prices from a file: one JSON line a match and market, with every quote that was seen."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tipoff.domain.quote import Quote
from tipoff.errors import InputError

MARKETS = {"total_points": "total", "total": "total", "winner": "winner", "spread": "spread"}


def read_quotes(path: Path) -> Iterator[Quote]:
    """Quotes of a JSON-lines file; raises InputError that names the line that cannot be read.

    A line holds bookmaker, market (total_points or total, winner, spread), external_id and quotes, each with
    t (ISO time with offset), line (not for the winner), over and under (decimal).
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            yield from _quotes(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: line {number} is not a market with quotes: {error!r}") from error


def _quotes(row: dict[str, Any]) -> Iterator[Quote]:
    market = MARKETS[row["market"]]
    for quote in row["quotes"]:
        at = dt.datetime.fromisoformat(quote["t"])
        over, under = float(quote["over"]), float(quote["under"])
        if at.tzinfo is None or not (over > 1 and under > 1):
            raise ValueError(f"a quote needs a time with offset and decimal prices above 1, got {quote}")
        line = None if market == "winner" else float(quote["line"])
        yield Quote(str(row["external_id"]), str(row["bookmaker"]), market, line, over, under, at.astimezone(dt.UTC))
