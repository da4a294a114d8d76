"""What the API says of models."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.api.record.schemas import Estimate

MODEL: dict[str, Any] = {
    "version": 3, "sha256": "0a" * 32, "created_at": "2026-11-24T05:00:00Z", "active": True, "verdict": "passed",
    "reason": "not worse than the champion", "code_version": "0.1.0+1a2b3c4", "size_bytes": 181234,
    "activated_at": "2026-11-24T05:01:00Z", "pruned_at": None, "promised": {"log_loss": 0.6472},
    "estimates": {"log_loss": {"mean": 0.6472, "low": 0.6410, "high": 0.6534, "n": 7895}},
    "sealed": {"days": 12, "matches": 2900, "log_loss": 0.6481},
}  # fmt: skip
DAY: dict[str, Any] = {
    "model_version": 3, "model_sha256": "0a" * 32, "day": "2026-11-24", "matches": 248, "log_loss": 0.646,
    "brier": 0.227, "accuracy": 0.621, "margin_mae": 7.2, "total_mae": 9.2, "margin_inside": 0.80,
    "total_inside": 0.81,
}  # fmt: skip
WORTH: dict[str, Any] = {
    "group": "team", "matches": 2900, "log_loss": 0.0021, "log_loss_low": 0.0009, "log_loss_high": 0.0033,
    "margin_mae": 0.05, "margin_mae_low": 0.02, "margin_mae_high": 0.08, "total_mae": 0.03, "total_mae_low": 0.0,
    "total_mae_high": 0.06,
}  # fmt: skip


class ModelRow(BaseModel):
    """A model: what the gate said of it, what it promised, what its sealed forecasts scored."""

    version: int
    sha256: str
    created_at: dt.datetime
    active: bool
    verdict: str
    reason: str
    code_version: str
    size_bytes: int
    activated_at: dt.datetime | None
    pruned_at: dt.datetime | None
    promised: dict[str, float | None] = Field(description="Means of its walk-forward measurement before it forecast.")
    estimates: dict[str, Estimate] = Field(description="The same with 95 % intervals and numbers of matches.")
    sealed: dict[str, Any] | None = Field(
        description="What its sealed forecasts scored since, with how many; null: none."
    )


class ModelPage(BaseModel):
    """Models, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [MODEL], "next_cursor": None}]})

    items: list[ModelRow]
    next_cursor: str | None


class Worth(BaseModel):
    """How much worse the model is without a group of its states: difference with its 95 % interval."""

    group: str
    matches: int
    log_loss: float
    log_loss_low: float | None
    log_loss_high: float | None
    margin_mae: float
    margin_mae_low: float | None
    margin_mae_high: float | None
    total_mae: float
    total_mae_low: float | None
    total_mae_high: float | None


class ModelDetail(ModelRow):
    """One model whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        **MODEL, "params": {"session_gap": 240}, "fit": {}, "data": {"matches": 7581}, "measured": {}, "gate": None,
        "importance": [WORTH]}]})  # fmt: skip

    params: dict[str, Any]
    fit: dict[str, Any]
    data: dict[str, Any]
    measured: dict[str, Any]
    gate: dict[str, Any] | None
    importance: list[Worth]


class Difference(BaseModel):
    """A measure of both, each as measured before it forecast."""

    measure: str
    one: float | None
    two: float | None
    difference: float | None = Field(description="One less two.")


class Comparison(BaseModel):
    """Two models beside each other."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "one": MODEL, "two": MODEL, "same_data": False,
        "note": "measured on different matches: not a paired comparison",
        "promised": [{"measure": "log_loss", "one": 0.6472, "two": 0.6480, "difference": -0.0008}],
        "params": {"total.r": [115.8, 116.2]}}]})  # fmt: skip

    one: ModelRow
    two: ModelRow
    same_data: bool = Field(description="Whether both were measured on the same matches.")
    note: str
    promised: list[Difference]
    params: dict[str, list[Any]] = Field(description="Hyper-parameters that differ: [one, two].")


class PerformanceRow(BaseModel):
    """What a model's sealed forecasts of one UTC day scored at the last horizon."""

    model_version: int
    model_sha256: str
    day: dt.date
    matches: int
    log_loss: float
    brier: float
    accuracy: float
    margin_mae: float
    total_mae: float
    margin_inside: float = Field(description="Share within the 80 % interval.")
    total_inside: float


class PerformancePage(BaseModel):
    """Days, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [DAY], "next_cursor": None}]})

    items: list[PerformanceRow]
    next_cursor: str | None


class Importance(BaseModel):
    """What each part of a model is worth, most useful first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model_version": 3, "items": [WORTH]}]})

    model_version: int
    items: list[Worth]
