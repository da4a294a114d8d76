"""From the league's servers to sealed forecasts, step by step; an interrupted one goes on where it was."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from tipoff.errors import TransientUpstreamError
from tipoff.ingest.ingest import ingest_pending
from tipoff.jobs.handlers import forecasting
from tipoff.jobs.handlers.training import train_model
from tipoff.jobs.types import DataPipelineParams, ModelTrainingParams, QuickDataRefreshParams
from tipoff.jobs.work import StepRun, Work
from tipoff.pipeline.fetch import days_until, keep_days
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.storage.pool import Connection
from tipoff.upstream.h2h2025 import H2H2025Source

RECENT_DAYS = 2
FRESH = 60.0
"""seconds for which a later attempt of a refresh builds on what an earlier one fetched: a machine may have slept"""
FOR_THE_REST = 60.0
"""seconds of an attempt in which no more days are fetched: a long history takes several attempts"""


def data_pipeline(work: Work) -> dict[str, Any]:
    """Token, fetch, ingest, statistics, train if asked, predict and seal, grade."""
    p = work.params(DataPipelineParams)
    recipe = None
    if p.train_model:
        given = {"days_back": p.training_days, "min_matches_per_player": p.min_matches}
        recipe = ModelTrainingParams.model_validate(given)
    return run(work, p.history_days, p.refresh_token, p.return_predictions, recipe)


def quick_data_refresh(work: Work) -> dict[str, Any]:
    """The same over the last days, without training."""
    p = work.params(QuickDataRefreshParams)
    return run(work, RECENT_DAYS, p.refresh_token, p.return_predictions, None, FRESH)


def run(
    work: Work, days: int, refresh_token: bool, with_predictions: bool, recipe: ModelTrainingParams | None,
    fresh: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Step by step; days of history beside today and tomorrow; trains where there is a recipe."""
    needs_token = isinstance(work.source, H2H2025Source)
    names = [
        *(["token"] if needs_token else []), "fetch", "ingest", *(["train"] if recipe else []), "predict", "grade",
    ]  # fmt: skip
    names.insert(names.index("ingest") + 1, "statistics")
    work.plan(*names, fresh=fresh)
    found: dict[str, Any] = {}
    if needs_token:
        found["token"] = work.step("token", lambda _: _token(work, refresh_token))
    found["fetch"] = work.step("fetch", lambda step: _fetch(work, step, days))
    found["ingest"] = work.step("ingest", lambda step: _ingest(work, step))
    found["statistics"] = work.step("statistics", lambda step: _statistics(work, step))
    if recipe:
        found["train"] = work.step("train", lambda step: train_model(work, recipe, step))
    found["predict"] = work.step("predict", lambda step: _predict(work, step, with_predictions))
    found["grade"] = work.step("grade", lambda _: forecasting.grade(work, everything=days > RECENT_DAYS))
    said = forecasting.words({**found["grade"], **found["predict"]})
    i = found["ingest"]
    work.message = f"{i['new']} new results, {i['changed']} changed, {said}"
    predictions = found["predict"].pop("predictions", None)
    return {**found, **({"predictions": predictions} if with_predictions else {})}


def _token(work: Work, refresh: bool) -> dict[str, Any]:
    assert isinstance(work.source, H2H2025Source)  # noqa: S101
    work.source.authenticate(refresh)
    return {"refreshed": refresh}


def _fetch(work: Work, step: StepRun, days: int) -> dict[str, Any]:
    """Ask for the days that no earlier attempt of this job has kept."""
    begun = dt.datetime.fromisoformat(step.detail.get("now", work.now.isoformat()))
    done = set(step.detail.get("kept", []))
    wanted = [day for day in days_until(begun, days) if day.isoformat() not in done]

    def kept(connection: Connection, fetched: list[dt.date]) -> None:
        done.update(day.isoformat() for day in fetched)
        step.note(connection, now=begun.isoformat(), kept=sorted(done))

    report = keep_days(work.pool, work.source, wanted, step.progress, kept, lambda: work.seconds_left < FOR_THE_REST)
    step.rows_in, step.rows_out = len(wanted), report.asked - report.empty - len(report.failed)
    if report.failed:
        named = "; ".join(f"{day}: {why}" for day, why in report.failed.items())
        raise TransientUpstreamError(f"{len(report.failed)} days could not be fetched ({named}); the others are kept")
    if report.left:
        raise TransientUpstreamError(
            f"out of time with {report.left} of {len(wanted)} days left for the next attempt; the others are kept"
        )
    return {
        "asked": report.asked,
        "settled": report.settled,
        "empty": report.empty,
        "days": len(days_until(begun, days)),
    }


def _ingest(work: Work, step: StepRun) -> dict[str, Any]:
    report = ingest_pending(work.pool, work.now, step.progress)
    step.rows_in, step.rows_out = report.payloads, report.new + report.changed
    return dataclasses.asdict(report)


def _statistics(work: Work, step: StepRun) -> dict[str, Any]:
    step.rows_out = refresh_statistics(work.pool, work.now, work.settings.learn_older)
    return {"players": step.rows_out}


def _predict(work: Work, step: StepRun, with_predictions: bool) -> dict[str, Any]:
    if not forecasting.has_champion(work):
        return dict(forecasting.SKIPPED)
    found = forecasting.predict_and_seal(work, with_predictions)
    step.rows_in, step.rows_out = found["fixtures"], found["sealed"]
    return found
