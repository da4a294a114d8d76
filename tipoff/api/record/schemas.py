"""What the API says of the track record."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.api.matches.schemas import SEAL, START

ESTIMATE: dict[str, Any] = {"mean": 0.646, "low": 0.639, "high": 0.653, "n": 1740}
FIGURES: dict[str, Any] = {"n": 1740, "measures": {"log_loss": ESTIMATE}, "ece": 0.011, "stated": 0.621}
SPREAD: dict[str, Any] = {
    "crps": {"mean": 5.1, "low": 4.9, "high": 5.3, "n": 1740},
    "inside": {"mean": 0.8, "low": 0.78, "high": 0.82, "n": 1740},
    "pit": {"bins": [0.1] * 10, "z_mean": {"mean": 0.01, "low": -0.03, "high": 0.05, "n": 1740},
            "z_square": {"mean": 1.02, "low": 0.96, "high": 1.08, "n": 1740}, "p_uniform": 0.43},
}  # fmt: skip
SEALED: dict[str, Any] = {
    **{name: value for name, value in SEAL.items() if name != "grade"}, "external_id": "NB103251126", "start": START,
    "player_a": "ANNA", "player_b": "BEN", "team_a": "Boston Celtics", "team_b": "New York Knicks",
    "stream": "Ebasketball 1", "status": "graded", "score_a": 61, "score_b": 54, "hit": True, "log_loss": 0.494,
}  # fmt: skip


class Estimate(BaseModel):
    """A mean with its 95 % interval (days are resampled) over n matches; null where there are too few days."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


class Figures(BaseModel):
    """What a group of graded forecasts scored."""

    n: int
    measures: dict[str, Estimate]
    ece: float | None = Field(description="Expected calibration error.")
    stated: float | None = Field(None, description="Mean probability of the likelier side, beside the share of hits.")


class Coverage(BaseModel):
    """Of the matches played since the ledger was opened, how many had a forecast sealed at this horizon."""

    horizon: int = Field(description="Minutes before the start.")
    played: int
    sealed: int
    missing: int = Field(description="Played without one.")
    missing_newest: list[str] = Field(description="External ids of the newest 100 of these.")


class Bin(BaseModel):
    """Forecasts between two probabilities: what they said, and what came, with its 95 % interval (Wilson)."""

    low: float
    high: float
    n: int
    mean_forecast: float
    share_won: float
    share_low: float
    share_high: float


class Baseline(BaseModel):
    """A baseline on the same matches at the same lead; difference is our log loss less its (below 0: better)."""

    name: str
    log_loss: Estimate
    accuracy: Estimate
    difference: Estimate
    by_period: dict[str, Estimate] = Field({}, description="Its log loss by day, week or month of the start (UTC).")


class Prices(BaseModel):
    """One bookmaker's market: log loss of its prices without their margin, and ours; with a line the MAE too."""

    bookmaker: str
    market: str
    matches: int
    price_log_loss: Estimate
    our_log_loss: Estimate
    difference: Estimate
    line_error: Estimate | None
    our_error: Estimate | None


class Pit(BaseModel):
    """Where results fell in their forecast distributions."""

    bins: list[float] = Field(description="Share of results in each tenth of the distribution; 0.1 each is right.")
    z_mean: Estimate = Field(description="Mean of (result - mean) / deviation; 0 is right.")
    z_square: Estimate = Field(description="Mean of its square; 1 is right, more: the deviations are too small.")
    p_uniform: float | None = Field(description="Chance of bins so uneven where all is right; null: too few days.")


class Spread(BaseModel):
    """How the distributions of margins, or of totals, did: CRPS in points, share inside 80 % intervals."""

    crps: Estimate
    inside: Estimate
    pit: Pit


class Group(BaseModel):
    """Graded forecasts that have something in common."""

    name: str
    n: int
    log_loss: Estimate
    margin: Spread
    total: Spread


class Correction(BaseModel):
    """A forecast that was graded more than once, with every grade."""

    external_id: str
    horizon: int
    grades: list[dict[str, Any]]


class TrackRecord(BaseModel):
    """What the sealed forecasts scored: nothing left out. Groups refer to the main horizon."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "made_at": "2026-11-25T06:30:04Z", "ledger_row": 8412, "rows_since": 3, "period": "day", "clock": "database",
        "label": "", "opened_at": "2026-11-01T00:00:00Z", "main": 2,
        "coverage": [{"horizon": 2, "played": 1750, "sealed": 1748, "missing": 2, "missing_newest": ["NB1", "NB2"]}],
        "statuses": {"graded": 1740, "void": 5, "late": 0, "open": 3}, "corrections": 0, "corrections_newest": [],
        "by_horizon": {"2": FIGURES}, "by_period": {"2026-11-24": FIGURES}, "by_model": {"0a0a0a0a0a0a": FIGURES},
        "by_confidence": {"60% to 65%": FIGURES},
        "bins": [{"low": 0.6, "high": 0.7, "n": 410, "mean_forecast": 0.648, "share_won": 0.651, "share_low": 0.604,
                  "share_high": 0.696}],
        "baselines": [{"name": "elo", "log_loss": ESTIMATE, "accuracy": ESTIMATE, "difference": ESTIMATE,
                       "by_period": {"2026-11-24": ESTIMATE}}],
        "prices": [],
        "groups": {"experience": [{"name": "20 to under 100", "n": 1740, "log_loss": ESTIMATE, "margin": SPREAD,
                                   "total": SPREAD}]}}]})  # fmt: skip

    made_at: dt.datetime = Field(description="When it was worked out (job type track_record).")
    ledger_row: int = Field(description="The last row of the ledger that is in it.")
    rows_since: int = Field(description="Rows of the ledger that have come since.")
    period: str
    clock: str = Field(description="database: sealed by the database's clock; replay: its times are a replay's.")
    label: str
    opened_at: dt.datetime
    main: int = Field(description="The horizon that groups, bins and baselines refer to.")
    coverage: list[Coverage]
    statuses: dict[str, int] = Field(description="Sealed forecasts: graded, void, late, open (no result yet).")
    corrections: int = Field(description="Forecasts that were graded more than once.")
    corrections_newest: list[Correction]
    by_horizon: dict[str, Figures]
    by_period: dict[str, Figures] = Field(description="By day, week or month of the start (UTC).")
    by_model: dict[str, Figures]
    by_confidence: dict[str, Figures] = Field(description="By the probability of the likelier side.")
    bins: list[Bin]
    baselines: list[Baseline]
    prices: list[Prices] = Field(description="Against posted prices, where any are known.")
    groups: dict[str, list[Group]] = Field(
        {}, description="For whom the intervals are right: by experience (known results of the less known player), "
        "level (forecast total) and position (matches already played in the session, mean of the two).",
    )  # fmt: skip


class SealStatus(enum.StrEnum):
    """What became of a sealed forecast: late was sealed after the match really began, open has no result yet."""

    GRADED = "graded"
    VOID = "void"
    LATE = "late"
    OPEN = "open"


class Outcome(enum.StrEnum):
    """Whether the likelier side won."""

    HIT = "hit"
    MISS = "miss"


class SealedForecast(BaseModel):
    """A forecast as it was sealed, and what came: as its newest grade says."""

    external_id: str
    start: dt.datetime = Field(description="As graded; before that as sealed.")
    player_a: str
    player_b: str
    team_a: str | None
    team_b: str | None
    stream: str | None
    horizon: int = Field(description="Minutes before the start.")
    sealed_at: dt.datetime
    row: int = Field(description="Of the ledger.")
    hash: str
    model: str
    p_a: float
    margin_mean: float
    margin_sd: float
    total_mean: float
    total_sd: float
    status: SealStatus
    score_a: int | None
    score_b: int | None
    hit: bool | None = Field(description="Whether the likelier side won; null where it is not graded, or p_a is 0.5.")
    log_loss: float | None


class SealedForecastPage(BaseModel):
    """Sealed forecasts, newest first: one a match, the newest that was not sealed late."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"items": [SEALED], "next_cursor": None, "horizon": 2}]})  # fmt: skip

    items: list[SealedForecast]
    next_cursor: str | None = Field(description="Also after a short page: of very many, few passed the filters.")
    horizon: int
