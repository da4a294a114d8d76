"""A new model: fitted within the time there is, measured, registered, judged."""

from __future__ import annotations

from typing import Any

from tipoff.backtest.report import as_json
from tipoff.forecast.fit import Progress
from tipoff.jobs.types import ModelTrainingParams
from tipoff.jobs.work import Work
from tipoff.pipeline.code import code_version
from tipoff.pipeline.train import Recipe, train

AFTER_FIT = 90.0
"""seconds kept for measuring, storing and judging once the fit has ended"""


def model_training(work: Work) -> dict[str, Any]:
    """Train with these parameters; a model that was refused is a result too, and says why."""
    found = train_model(work, work.params(ModelTrainingParams), work.progress)
    outcome = "passed the gate and forecasts now" if found["activated"] else "was refused"
    work.message = f"model {found['version']} ({found['model'][:12]}) {outcome}: {found['reason']}"
    return found


def train_model(work: Work, params: ModelTrainingParams, progress: Progress) -> dict[str, Any]:
    """Train, and what to say of it."""
    reserve = min(AFTER_FIT, work.seconds_left / 2)
    recipe = Recipe(
        params.days_back, params.min_matches_per_player, params.performance_threshold,
        lambda: work.seconds_left < reserve,
    )  # fmt: skip
    done = train(work.pool, work.store, work.now, code_version(), progress, recipe)
    return {
        "model": done.submitted.sha256, "version": done.submitted.version, "activated": done.submitted.activated,
        "reason": done.submitted.verdict.reason, "gate": as_json(done.submitted.verdict), "fit": done.model.fit,
        "measured": done.model.measured,
    }  # fmt: skip
