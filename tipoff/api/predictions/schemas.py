"""What the API says of forecasts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict

from tipoff.api.forecasts import OddsFormat
from tipoff.api.matches.schemas import (
    FORECAST,
    MATCH,
    POSTED,
    Forecast,
    MarketName,
    MatchRow,
    Moment,
    Posted,
    Seal,
)
from tipoff.api.routing import LONGEST_NAME

MARKET: dict[str, Any] = {"market": "total", "line": 109.5, "over": 0.497, "push": 0.0, "under": 0.503,
          "fair_over": 2.012, "fair_under": 1.988}  # fmt: skip
PART: dict[str, Any] = {"name": "players", "margin": 2.9, "margin_sd": 1.1, "total": 0.4, "total_sd": 1.6,
        "words": "ANNA is 2.9 points stronger than BEN"}  # fmt: skip
FIXTURE: dict[str, Any] = {**MATCH, "status": "scheduled", "score_a": None, "score_b": None}
CERTAINTY: dict[str, Any] = {"low": 0.464, "high": 0.792, "words": "If we knew exactly how good both are today, "
             "ANNA's chance would lie between 46% and 79% in four of five such matches."}  # fmt: skip
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Line = Annotated[float, Field(ge=-500, le=500, allow_inf_nan=False, multiple_of=0.5)]


class Market(BaseModel):
    """A market at a line: probabilities (they sum to 1) and fair odds, a push returning the stake."""

    market: MarketName
    line: float | None
    over: float
    push: float
    under: float
    fair_over: float | int | str | None
    fair_under: float | int | str | None


class Certainty(BaseModel):
    """How sure a win probability itself is: the 80 % interval of P(A wins) with both players known exactly."""

    low: float
    high: float
    words: str


class Prediction(BaseModel):
    """A fixture, what the champion says of it now, and the market asked for."""

    external_id: str
    start: dt.datetime
    player_a: str
    player_b: str
    team_a: str | None
    team_b: str | None
    stream: str | None
    forecast: Forecast
    certainty: Certainty
    market: Market
    sealed: list[int] = Field(description="Minutes before the start at which a forecast is sealed already.")
    posted: list[Posted] = Field(description="Fresh prices: the newest of each bookmaker's markets.")


class PredictionPage(BaseModel):
    """Forecasts of fixtures, soonest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{**{k: FIXTURE[k] for k in ("external_id", "start", "player_a", "player_b", "team_a", "team_b",
                                              "stream")}, "forecast": FORECAST, "certainty": CERTAINTY,
                   "market": MARKET, "sealed": [30], "posted": [POSTED]}],
        "next_cursor": None, "as_of": "2026-11-25T05:31:00Z", "model_version": 3, "model": "0a" * 32}]})  # fmt: skip

    items: list[Prediction]
    next_cursor: str | None
    as_of: dt.datetime = Field(description="When the filter learned last.")
    model_version: int
    model: str


class Part(BaseModel):
    """One reason: points it adds to the margin (A ahead) and to the total, each with its deviation."""

    name: str
    margin: float
    margin_sd: float
    total: float
    total_sd: float
    words: str


class Score(BaseModel):
    """An exact final score."""

    a: int
    b: int
    probability: float


class PredictionDetail(MatchRow):
    """One match: what is said of it now and why, or what was sealed of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        **FIXTURE, "forecast": FORECAST, "certainty": CERTAINTY, "why": [PART], "cautions": [],
        "markets": [MARKET], "posted": [POSTED],
        "exact_scores": [{"a": 56, "b": 53, "probability": 0.0011}], "seals": [], "as_of": "2026-11-25T05:31:00Z",
        "model_version": 3}]})  # fmt: skip

    forecast: Forecast | None = Field(description="Null once the match has begun: then the seals are what counts.")
    certainty: Certainty | None
    why: list[Part]
    cautions: list[str]
    markets: list[Market]
    posted: list[Posted] = Field(description="Fresh prices: the newest of each bookmaker's markets.")
    exact_scores: list[Score]
    seals: list[Seal]
    as_of: dt.datetime | None
    model_version: int | None


class Scored(BaseModel):
    """What the sealed forecasts of some UTC days scored at the last horizon."""

    days: int
    matches: int
    log_loss: float | None
    accuracy: float | None
    margin_mae: float | None
    total_mae: float | None


class Summary(BaseModel):
    """Forecasts at a glance."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "upcoming": 61, "sealed": 12, "newest_seal_at": "2026-11-25T06:01:00Z",
        "by_confidence": {"50-60%": 30, "60-70%": 20, "70-100%": 11}, "mean_total": 109.4,
        "last_day": {"days": 1, "matches": 248, "log_loss": 0.646, "accuracy": 0.621, "margin_mae": 7.2,
                     "total_mae": 9.2},
        "last_week": {"days": 7, "matches": 1740, "log_loss": 0.648, "accuracy": 0.618, "margin_mae": 7.2,
                      "total_mae": 9.2},
        "model_version": 3, "as_of": "2026-11-25T05:31:00Z"}]})  # fmt: skip

    upcoming: int = Field(description="Fixtures of the next day that are forecast, up to 1,000.")
    sealed: int = Field(description="Of these, how many have a sealed forecast.")
    newest_seal_at: dt.datetime | None
    by_confidence: dict[str, int] = Field(description="Of these, by the probability of the likelier side.")
    mean_total: float | None
    last_day: Scored = Field(description="The newest UTC day with grades.")
    last_week: Scored = Field(description="The newest seven UTC days with grades.")
    model_version: int | None
    as_of: dt.datetime | None = Field(description="When the filter learned last.")


class WhatIfMatch(BaseModel):
    """A match that is only thought of."""

    model_config = ConfigDict(extra="forbid")

    player_a: Name
    player_b: Name
    team_a: Name | None = None
    team_b: Name | None = None
    start: Moment | None = Field(None, description="Left out: now. Up to 30 days from now.")
    market: MarketName | None = Field(None, description="Left out: the winner, or the total where a line is given.")
    line: Annotated[Line, Strict()] | None = Field(None, description="Left out: the line that is nearest to even.")


class WhatIfRequest(BaseModel):
    """Any two players, many in one call."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [
        {"matches": [{"player_a": "ANNA", "player_b": "BEN", "market": "total", "line": 109.5}]}]})  # fmt: skip

    matches: list[WhatIfMatch] = Field(min_length=1, max_length=100)
    odds_format: OddsFormat = OddsFormat.DECIMAL
    newcomers: bool = Field(False, strict=True, description="Accept names that nothing is known of, as newcomers.")


class WhatIf(BaseModel):
    """What the champion says of one of them."""

    player_a: str
    player_b: str
    team_a: str | None
    team_b: str | None
    start: dt.datetime
    forecast: Forecast
    certainty: Certainty
    market: Market
    why: list[Part]
    cautions: list[str]


class WhatIfs(BaseModel):
    """Answers in the order asked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{"player_a": "ANNA", "player_b": "BEN", "team_a": None, "team_b": None,
                   "start": "2026-11-25T06:03:00Z", "forecast": FORECAST, "certainty": CERTAINTY,
                   "market": MARKET, "why": [PART], "cautions": []}],
        "as_of": "2026-11-25T05:31:00Z", "model_version": 3, "model": "0a" * 32}]})  # fmt: skip

    items: list[WhatIf]
    as_of: dt.datetime
    model_version: int
    model: str
