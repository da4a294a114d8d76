"""A posted price."""

from __future__ import annotations

import dataclasses
import datetime as dt


@dataclasses.dataclass(frozen=True, slots=True)
class Quote:
    """Decimal prices of both sides of a market; over is side A for the winner and the spread (line None: winner)."""

    external_id: str
    bookmaker: str
    market: str
    line: float | None
    over: float
    under: float
    quoted_at: dt.datetime
