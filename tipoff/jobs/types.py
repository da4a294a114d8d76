"""The types of jobs: what they take, how long and how big they may be, and which secrets they get.

Light to import: the code of a type is named, and loaded by the child process that runs it.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tipoff.errors import InputError

HARD_LIMIT = 290.0
"""no attempt may take longer, in seconds"""


class Secret(enum.StrEnum):
    """What a child process may be handed."""

    DATABASE = "database"
    ARTIFACTS = "artifacts"
    SOURCE = "source"
    OWNER = "owner"
    ALERTS = "alerts"


class Params(BaseModel):
    """Parameters of a job; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class NoParams(Params):
    """A job that takes none."""


@dataclasses.dataclass(frozen=True, slots=True)
class JobType:
    """One type; `run` is "module:function" and takes a Work, `seconds` and `megabytes` are hard limits.

    At most one job of a `single` type is live. `reuse` lets the next job of the type run in the same process.
    """

    name: str
    run: str
    about: str
    params: type[Params] = NoParams
    seconds: float = 270.0
    megabytes: int = 512
    max_attempts: int = 3
    secrets: frozenset[Secret] = frozenset({Secret.DATABASE})
    single: bool = False
    reuse: bool = True
    kernels: bool = False
    """whether it forecasts or fits: the kernels are compiled before, by a process that then ends"""
    backoff: tuple[float, float] = (2.0, 300.0)
    """first and longest wait in seconds before a failed attempt is tried again"""

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= HARD_LIMIT:
            raise ValueError(f"{self.name}: the time limit must be above 0 and at most {HARD_LIMIT:g} s")

    def checked(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with defaults filled in; raises InputError that names what is wrong."""
        try:
            return self.params.model_validate(dict(params)).model_dump(mode="json")
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(at) for at in part['loc'])}: {part['msg'].lower()}" for part in error.errors()
            )
            known = ", ".join(self.params.model_fields) or "none"
            raise InputError(f"parameters of {self.name}: {wrong} (it takes: {known})") from error


class ModelTrainingParams(Params):
    """What a new model is fitted on, and what it must reach."""

    days_back: int = Field(30, ge=2, le=365, description="Days of results to fit on, before those it is measured on.")
    min_matches_per_player: int = Field(
        1, ge=1, le=1000, description="Matches of players with fewer in those days are left out of the fit."
    )
    performance_threshold: float = Field(
        0.0, ge=0, lt=1, description="Least share of measured matches called right, or it may not forecast."
    )


class DataPipelineParams(Params):
    """The full pipeline."""

    history_days: int = Field(30, ge=0, le=1500, description="How many days back to fetch.")
    train_model: bool = Field(False, description="Train and judge a new model on the way.")
    return_predictions: bool = Field(False, description="Put the forecasts into the job's result.")
    refresh_token: bool = Field(False, description="Ask for a new guest token first, where the source needs one.")
    training_days: int = Field(30, ge=2, le=365, description="With train_model: days of results to fit on.")
    min_matches: int = Field(
        1, ge=1, le=1000, description="With train_model: matches of players with fewer are left out of the fit."
    )


class QuickDataRefreshParams(Params):
    """Recent days and fixtures, no training."""

    refresh_token: bool = Field(False, description="Ask for a new guest token first, where the source needs one.")
    return_predictions: bool = Field(False, description="Put the forecasts into the job's result.")


class PredictionGenerationParams(Params):
    """Forecasts by the champion."""

    return_predictions: bool = Field(True, description="Put the forecasts into the job's result.")
    require_model: bool = Field(True, description="Fail where no model forecasts; false: say so and end.")


class CleanupParams(Params):
    """How much of the past to keep."""

    days: int = Field(30, ge=1, le=3650, description="Final jobs older than this go.")
    keep: int = Field(10_000, ge=1, le=1_000_000, description="At most that many final jobs stay.")
    keep_reports: float = Field(8, ge=7, le=3650, description="Health reports of that many days stay.")
    keep_models: int = Field(20, ge=1, le=10_000, description="Files of that many newest models stay.")


class DatabaseCareParams(Params):
    """Look, or look and act."""

    act: bool = Field(False, description="Vacuum and analyze every table, build bloated indexes anew.")


class MatchDetailsParams(Params):
    """How many matches to ask for."""

    hours: float = Field(48, gt=0, le=24 * 60, description="Matches that began within so many hours.")
    limit: int = Field(40, ge=1, le=150, description="At most that many requests.")


class ReplayParams(Params):
    """A stretch of the past, sealed as if it were happening."""

    hours: float = Field(72.0, gt=0, le=24 * 400, description="Hours before now to replay.")
    label: str = Field("replay", min_length=1, max_length=200, description="What row 1 of the chain says.")


_HERE = "tipoff.jobs.handlers"
_ALL = frozenset({Secret.DATABASE, Secret.ARTIFACTS, Secret.SOURCE})
BUILT_IN: tuple[JobType, ...] = (
    JobType(
        "data_pipeline", f"{_HERE}.pipeline:data_pipeline",
        "Fetch, ingest, statistics, train if asked, predict and seal, grade.",
        DataPipelineParams, 280.0, 1024, secrets=_ALL, single=True, max_attempts=12, kernels=True,
    ),
    JobType(
        "quick_data_refresh", f"{_HERE}.pipeline:quick_data_refresh",
        "Recent days and fixtures, ingest, statistics, predict, grade; no training.",
        QuickDataRefreshParams, 120.0, secrets=frozenset({Secret.DATABASE, Secret.SOURCE}), single=True, kernels=True,
    ),
    JobType(
        "prediction_generation", f"{_HERE}.predictions:prediction_generation",
        "Forecast every known fixture with the champion, seal what is due, grade.",
        PredictionGenerationParams, 120.0, single=True, kernels=True,
    ),
    JobType(
        "model_training", f"{_HERE}.training:model_training",
        "Fit, measure walk-forward, register, judge by the gate.",
        ModelTrainingParams, 280.0, 1024, secrets=frozenset({Secret.DATABASE, Secret.ARTIFACTS}), single=True,
        kernels=True,
    ),
    JobType(
        "match_details", f"{_HERE}.details:match_details",
        "Ask for scores by period of matches that ended, where TIPOFF_MATCH_DETAILS is true.",
        MatchDetailsParams, secrets=frozenset({Secret.DATABASE, Secret.SOURCE}), single=True,
    ),
    JobType(
        "health_review", f"{_HERE}.care:health_review",
        "What was wrong in the last 24 hours: the worst of each check, alerts, failed jobs.",
        NoParams, 120.0, single=True,
    ),
    JobType(
        "cleanup", f"{_HERE}.care:cleanup",
        "Statistics of the week's jobs by type; then old jobs, ticks and model files go, and careers are recomputed.",
        CleanupParams, 120.0, secrets=frozenset({Secret.DATABASE, Secret.ARTIFACTS}), single=True,
    ),
    JobType(
        "model_review", f"{_HERE}.care:model_review",
        "What the champion promised against what its sealed forecasts scored in 30 days; trains anew when it drifts.",
        NoParams, 120.0, single=True,
    ),
    JobType(
        "track_record", f"{_HERE}.predictions:track_record",
        "Work out what the sealed forecasts scored, with intervals and baselines, for everybody to read.",
        NoParams, 280.0, 1024, single=True,
    ),
    JobType(
        "ledger_verification", f"{_HERE}.care:ledger_verification",
        "Recompute the ledger's chain and compare it with published heads; the health check tells of what is broken.",
        NoParams, 280.0, single=True,
    ),
    JobType(
        "database_care", f"{_HERE}.database:database_care",
        "Report on unused, duplicate and bloated indexes, growth, vacuum and sequences; act only when told (act).",
        DatabaseCareParams, 280.0, secrets=frozenset({Secret.DATABASE, Secret.OWNER}), single=True,
    ),
    JobType(
        "outbox_delivery", f"{_HERE}.outbox:outbox_delivery", "Deliver messages that wait in the outbox.",
        NoParams, 120.0, secrets=frozenset({Secret.DATABASE, Secret.ALERTS}), single=True, reuse=False,
    ),
    JobType(
        "replay_record", f"{_HERE}.predictions:replay_record",
        "Seal and grade past days into a ledger that says it is a replay (the demo's).",
        ReplayParams, 280.0, single=True, kernels=True,
    ),
)  # fmt: skip


def job_types(modules: Sequence[str] = ()) -> dict[str, JobType]:
    """Every type by name: the built-in ones, and `TYPES` of each module that TIPOFF_JOB_MODULES names."""
    found = list(BUILT_IN)
    for name in modules:
        try:
            found += importlib.import_module(name).TYPES
        except (ImportError, AttributeError) as error:
            raise InputError(f"TIPOFF_JOB_MODULES: {name} has no job types: {error}") from error
    return {job_type.name: job_type for job_type in found}
