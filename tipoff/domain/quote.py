"""Posted prices: of a match that is known, and as a file has them."""

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


@dataclasses.dataclass(frozen=True, slots=True)
class Posted:
    """A quote before its match was found: named by an id, by players and start, or by both.

    Over is the first player's side where the market is the winner or the spread.
    """

    external_id: str | None
    start: dt.datetime | None
    player_a: str | None
    player_b: str | None
    bookmaker: str
    market: str
    line: float | None
    over: float
    under: float
    quoted_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Unmatched:
    """A quote whose match was not found: a reason for programs and a sentence."""

    posted: Posted
    reason: str
    detail: str
