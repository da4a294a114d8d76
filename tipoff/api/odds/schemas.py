"""What the API says of posted prices."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.api.matches.schemas import MarketName

QUOTE: dict[str, Any] = {
    "external_id": "NB103251126", "start": "2026-11-25T06:03:00Z", "bookmaker": "Book", "market": "total",
    "line": 109.5, "over": 1.91, "under": 1.87, "quoted_at": "2026-11-25T05:50:00Z", "in_play": False,
    "p_over": 0.4945, "overround": 0.0583,
}  # fmt: skip


class QuoteRow(BaseModel):
    """Decimal prices of both sides; over is side A for the winner, and side A covering for the spread."""

    external_id: str
    start: dt.datetime | None = Field(description="Of the match as it is known now.")
    bookmaker: str
    market: MarketName
    line: float | None
    over: float
    under: float
    quoted_at: dt.datetime
    in_play: bool | None = Field(description="Posted after the start: never compared with a forecast.")
    p_over: float | None = Field(description="P(over) without the bookmaker's margin (Shin), a push left out.")
    overround: float | None = Field(description="The bookmaker's margin: by how much both chances exceed 1.")


class QuotePage(BaseModel):
    """Quotes, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [QUOTE], "next_cursor": None}]})

    items: list[QuoteRow]
    next_cursor: str | None
