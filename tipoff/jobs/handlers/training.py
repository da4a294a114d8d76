"""A new model: fitted within the time there is, measured, registered, judged."""

from __future__ import annotations

from typing import Any

from tipoff.backtest.report import as_json
from tipoff.forecast.additions import named
from tipoff.jobs.types import ModelTrainingParams
from tipoff.jobs.work import StepRun, Work
from tipoff.pipeline.code import code_version
from tipoff.pipeline.train import Recipe, Trained, train

AFTER_FIT = 90.0
"""seconds kept for measuring, storing and judging once the fit has ended"""


def model_training(work: Work) -> dict[str, Any]:
    """Train with these parameters; a model that was refused is a result too, and says why."""
    work.plan("train")
    found = work.step("train", lambda step: train_model(work, work.params(ModelTrainingParams), step))
    outcome = "passed the gate and forecasts now" if found["activated"] else "was refused"
    work.message = f"model {found['version']} ({found['model'][:12]}) {outcome}: {found['reason']}"
    return found


def train_model(work: Work, params: ModelTrainingParams, step: StepRun) -> dict[str, Any]:
    """Train, and what to say of it, noted in the transaction that registers the model: none is registered twice."""
    if "model" in step.detail:
        return step.detail
    reserve = min(AFTER_FIT, work.seconds_left / 2)
    allowed = work.seconds_left - reserve
    recipe = Recipe(
        params.days_back, params.min_matches_per_player, params.performance_threshold,
        lambda share: work.seconds_left < reserve + (1 - share) * allowed, work.settings.learn_older,
        named(work.settings.additions),
    )  # fmt: skip
    train(
        work.pool, work.store, work.now, code_version(), step.progress, recipe,
        lambda connection, done: step.note(connection, **_said(done)),
    )  # fmt: skip
    return step.detail


def _said(done: Trained) -> dict[str, Any]:
    return {
        "model": done.submitted.sha256, "version": done.submitted.version, "activated": done.submitted.activated,
        "reason": done.submitted.verdict.reason, "gate": as_json(done.submitted.verdict), "fit": done.model.fit,
        "measured": done.model.measured,
    }  # fmt: skip
