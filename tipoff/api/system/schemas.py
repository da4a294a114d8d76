"""What the API says of the system."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field


class Alive(BaseModel):
    """This process is alive; the status is degraded while the database is away."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"status": "ok", "database": "ok", "detail": None, "version": "0.1.0"}]})  # fmt: skip

    status: str = Field(description="ok or degraded.")
    database: str = Field(description="ok or away.")
    detail: str | None
    version: str


class TypeStats(BaseModel):
    """Jobs of one type."""

    type: str
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    ended_24h: int | None
    success_rate_24h: float | None = Field(description="Completed among completed and failed.")
    seconds_p50_24h: float | None
    seconds_p95_24h: float | None


class JobStats(BaseModel):
    """The statistics view."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "items": [{"type": "quick_data_refresh", "pending": 0, "running": 1, "completed": 143, "failed": 1,
                   "cancelled": 0, "ended_24h": 144, "success_rate_24h": 0.993, "seconds_p50_24h": 3.1,
                   "seconds_p95_24h": 5.0}], "as_of": "2026-11-25T05:00:00Z"}]})  # fmt: skip

    items: list[TypeStats]
    as_of: dt.datetime


class Rows(BaseModel):
    """Rows of a table; above 5,000 the database's own estimate."""

    rows: int
    exact: bool


class Champion(BaseModel):
    """The model that forecasts."""

    version: int
    sha256: str
    trained_at: dt.datetime
    activated_at: dt.datetime | None


class Status(BaseModel):
    """What this installation is and holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "version": "0.1.0", "code_version": "1a2b3c4", "database_version": "18.6", "schema_version": "20261125060000",
        "schema_expected": "20261125060000", "source": "h2h-2026",
        "simulated": False, "data_source": "h2h-2026", "league_label": None, "horizons": [30, 2],
        "rows": {"matches": {"rows": 13601, "exact": True}},
        "champion": {"version": 3, "sha256": "0f" * 32, "trained_at": "2026-11-24T05:00:00Z",
                     "activated_at": "2026-11-24T05:01:00Z"},
        "last_refresh": "2026-11-25T04:59:00Z", "newest_result": "2026-11-25T04:20:00Z",
        "as_of": "2026-11-25T05:00:00Z"}]})  # fmt: skip

    version: str
    code_version: str
    database_version: str
    schema_version: str
    schema_expected: str
    source: str
    data_source: str | None = Field(description="What the raw archive calls the source that answered last.")
    simulated: bool = Field(description="Whether the matches are those of the built-in league: nobody plays them.")
    league_label: str | None = Field(description="What the built-in league is called, where it has a name.")
    horizons: list[int] = Field(description="Minutes before the start at which forecasts are sealed, longest first.")
    rows: dict[str, Rows]
    champion: Champion | None
    last_refresh: dt.datetime | None = Field(description="When the league was last asked with success.")
    newest_result: dt.datetime | None = Field(description="Start of the newest match with a result.")
    as_of: dt.datetime
