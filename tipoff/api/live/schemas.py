"""What streams send: a snapshot of a topic, then its changes; between them notices."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from tipoff.api.matches.schemas import MATCH, Forecast, MatchRow, Seal


class PredictionState(MatchRow):
    """A match with what is said of it now, and what was sealed of it."""

    forecast: Forecast | None = Field(description="The champion's now; null once the match has begun.")
    seals: list[Seal] = Field(description="Its sealed forecasts with their grades.")


class LiveRow(BaseModel):
    """A row as it stands; of two with the same id the one with the greater revision is newer."""

    id: str
    revision: int
    row: SerializeAsAny[BaseModel] = Field(description="As in GET /api/jobs, /api/jobs/{job_id} or /api/matches.")


class Snapshot(BaseModel):
    """How a topic stands: it replaces whatever was known of the topic."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "type": "snapshot", "topic": "matches", "at": "2026-11-25T06:31:00Z",
        "rows": [{"id": "NB103251126", "revision": 3, "row": MATCH}]}]})  # fmt: skip

    type: Literal["snapshot"] = "snapshot"
    topic: str
    at: dt.datetime
    rows: list[LiveRow]


class Changes(BaseModel):
    """Rows of a topic that changed, and ids of those that are gone."""

    type: Literal["changes"] = "changes"
    topic: str
    at: dt.datetime
    rows: list[LiveRow]
    gone: list[str] = []


NoticeType = Literal["heartbeat", "lost", "dropped", "stopping", "error"]


class Notice(BaseModel):
    """heartbeat; lost (the database is away: what is shown may be old); dropped (too slow); stopping; error."""

    type: NoticeType
    at: dt.datetime
    detail: str = ""
