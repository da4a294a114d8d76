"""What the API says of matches."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

START = "2026-11-25T06:03:00Z"
MATCH: dict[str, Any] = {
    "external_id": "NB103251126", "start": START, "player_a": "ANNA", "player_b": "BEN",
    "team_a": "Boston Celtics", "team_b": "New York Knicks", "stream": "Ebasketball 1", "status": "final",
    "score_a": 61, "score_b": 54, "observed_at": "2026-11-25T06:31:00Z",
}  # fmt: skip
FORECAST: dict[str, Any] = {
    "p_a": 0.62, "p_b": 0.38, "score_a": 56.4, "score_b": 53.1, "margin_mean": 3.3, "margin_sd": 10.4,
    "margin_low": -10.0, "margin_high": 16.6, "total_mean": 109.5, "total_sd": 12.4, "total_low": 93.6,
    "total_high": 125.4, "fair_a": 1.613, "fair_b": 2.632, "known_a": 412, "known_b": 97,
}  # fmt: skip
POSTED: dict[str, Any] = {
    "bookmaker": "Book", "market": "total", "line": 109.5, "quoted_at": "2026-11-25T05:28:00Z",
    "over": {"price": 1.91, "probability": 0.497, "market_probability": 0.4945, "edge": 0.0025, "expected": -0.0507},
    "under": {"price": 1.87, "probability": 0.503, "market_probability": 0.5055, "edge": -0.0025,
              "expected": -0.0594},
}  # fmt: skip
SEAL: dict[str, Any] = {
    "row": 812, "hash": "0f" * 32, "horizon": 30, "start": START, "sealed_at": "2026-11-25T05:33:02Z",
    "model": "0a" * 32, "p_a": 0.61, "margin_mean": 3.1, "margin_sd": 10.4, "total_mean": 109.2, "total_sd": 12.4,
    "grade": {"row": 830, "status": "graded", "scores": {"log_loss": 0.494}},
}  # fmt: skip


def _written(moment: Any) -> Any:
    """A time is written out: a bare number would be taken for seconds since 1970."""
    if isinstance(moment, str) and "-" in moment[1:]:
        return moment
    raise ValueError("a time is written like 2026-11-25T06:03:00Z")


def _utc(moment: dt.datetime) -> dt.datetime:
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError as error:
        raise ValueError("a time lies within the years 1 to 9999 of UTC") from error


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_utc)]


class MarketName(enum.StrEnum):
    """Over means side A for the winner, and side A covering for the spread."""

    WINNER = "winner"
    TOTAL = "total"
    SPREAD = "spread"
    TEAM_TOTAL_A = "team_total_a"
    TEAM_TOTAL_B = "team_total_b"


class MatchStatus(enum.StrEnum):
    """What is or became of a match."""

    SCHEDULED = "scheduled"
    WITHDRAWN = "withdrawn"
    PLAYED = "played"
    FINAL = "final"
    VOID = "void"
    CANCELLED = "cancelled"


class MatchRow(BaseModel):
    """A match or a fixture; side A and side B are no home and away."""

    external_id: str
    start: dt.datetime
    player_a: str
    player_b: str
    team_a: str | None
    team_b: str | None
    stream: str | None
    status: MatchStatus
    score_a: int | None
    score_b: int | None
    observed_at: dt.datetime = Field(description="When the league last said so.")


class MatchPage(BaseModel):
    """Matches in order of start."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [MATCH], "next_cursor": None}]})

    items: list[MatchRow]
    next_cursor: str | None


class Forecast(BaseModel):
    """What the champion says now: probabilities, points, 80 % intervals, fair odds in the format asked for."""

    p_a: float = Field(description="P(side A wins).")
    p_b: float
    score_a: float = Field(description="Expected points.")
    score_b: float
    margin_mean: float = Field(description="A less B.")
    margin_sd: float
    margin_low: float
    margin_high: float
    total_mean: float
    total_sd: float
    total_low: float
    total_high: float
    fair_a: float | int | str | None
    fair_b: float | int | str | None
    known_a: int = Field(description="Results known of player A; few: it leans on what newcomers usually do.")
    known_b: int


class PostedSide(BaseModel):
    """One side of a posted market; an edge is a difference of opinion, and nothing more follows from it."""

    price: float = Field(description="Decimal.")
    probability: float = Field(description="Ours.")
    market_probability: float = Field(description="The price's, without the bookmaker's margin; a push left out.")
    edge: float = Field(description="Ours less the price's, a push left out.")
    expected: float = Field(description="Return on a stake of 1 that the forecast expects.")


class Posted(BaseModel):
    """A price that is fresh against the forecast of now; over is side A for the winner and the spread."""

    bookmaker: str
    market: MarketName
    line: float | None
    quoted_at: dt.datetime = Field(description="When it was posted: that old it is.")
    over: PostedSide
    under: PostedSide


class Grade(BaseModel):
    """How a sealed forecast was graded last."""

    row: int
    status: str
    scores: dict[str, float | None] | None


class Seal(BaseModel):
    """A forecast sealed before the start: a row of the ledger."""

    row: int
    hash: str
    horizon: int = Field(description="Minutes before the start.")
    start: dt.datetime
    sealed_at: dt.datetime
    model: str
    p_a: float
    margin_mean: float
    margin_sd: float
    total_mean: float
    total_sd: float
    grade: Grade | None


class Observation(BaseModel):
    """A result as it became known."""

    observed_at: dt.datetime
    status: str
    score_a: int | None
    score_b: int | None
    start: dt.datetime


class MatchDetail(MatchRow):
    """One match whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        **MATCH, "forecast": None, "as_of": None, "model_version": None, "seals": [SEAL],
        "history": [{"observed_at": "2026-11-25T06:31:00Z", "status": "final", "score_a": 61, "score_b": 54,
                     "start": START}]}]})  # fmt: skip

    forecast: Forecast | None = Field(description="Now, for a fixture that has not begun; else null.")
    as_of: dt.datetime | None = Field(description="When the forecast's filter learned last.")
    model_version: int | None
    seals: list[Seal]
    history: list[Observation] = Field(description="More than one: the result was corrected.")


class RawRow(BaseModel):
    """What the league's server said of a match, verbatim."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "external_id": "NB103251126", "source": "h2h-2026", "dialect": "h2h-2026",
        "fetched_at": "2026-11-25T06:31:00Z", "row": {"externalId": "NB103251126", "teamAScore": 61}}]})  # fmt: skip

    external_id: str
    source: str
    dialect: str
    fetched_at: dt.datetime
    row: dict[str, Any]


class LiveRow(MatchRow):
    """A match that has begun and has no result yet."""

    minutes: float = Field(description="Since its scheduled start.")
    seals: list[Seal] = Field(description="What was said of it before it began.")


class LivePage(BaseModel):
    """Matches in play by the clock; the league's schedule gives no score before the end, so there is none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{**MATCH, "status": "scheduled", "score_a": None, "score_b": None, "minutes": 12.5,
                   "seals": [SEAL]}],
        "as_of": "2026-11-25T06:15:30Z"}]})  # fmt: skip

    items: list[LiveRow]
    as_of: dt.datetime


class UpcomingRow(MatchRow):
    """A fixture with what the champion says of it now."""

    forecast: Forecast | None
    sealed: list[int] = Field(description="Minutes before the start at which its forecast is sealed already.")
    posted: list[Posted] = Field(description="Fresh prices: the newest of each bookmaker's markets.")


class UpcomingPage(BaseModel):
    """Fixtures that have not begun, soonest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{**MATCH, "status": "scheduled", "score_a": None, "score_b": None, "forecast": FORECAST,
                   "sealed": [30], "posted": [POSTED]}],
        "next_cursor": None, "as_of": "2026-11-25T05:31:00Z", "model_version": 3, "streams": ["Ebasketball 1"],
        "total": 61}]})  # fmt: skip

    items: list[UpcomingRow]
    next_cursor: str | None = Field(description="Also after a short page: of 1,000 looked at, few were sure enough.")
    as_of: dt.datetime | None = Field(description="When the forecasts' filter learned last.")
    model_version: int | None
    streams: list[str] = Field(description="Those of all fixtures ahead, whatever the filters.")
    total: int = Field(description="Fixtures ahead, whatever the filters, up to 1,000.")
