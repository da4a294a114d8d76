"""Forecasts by the champion; and a stretch of the past sealed as if it were happening."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tipoff.errors import InputError
from tipoff.jobs.handlers import forecasting
from tipoff.jobs.types import PredictionGenerationParams, ReplayParams
from tipoff.jobs.work import Work
from tipoff.pipeline.code import code_version
from tipoff.pipeline.replay import replay_ledger
from tipoff.pipeline.watch import refresh_performance, refresh_record
from tipoff.storage import models


def prediction_generation(work: Work) -> dict[str, Any]:
    """Forecast, seal, grade; without a champion raises InputError, or says so, as the parameters want it."""
    params = work.params(PredictionGenerationParams)
    if not params.require_model and not forecasting.has_champion(work):
        work.message = forecasting.words(forecasting.SKIPPED)
        return dict(forecasting.SKIPPED)
    found = forecasting.predict_and_seal(work, params.return_predictions)
    found |= forecasting.grade(work, everything=False)
    work.message = forecasting.words(found)
    return found


def replay_record(work: Work) -> dict[str, Any]:
    """Seal and grade the last hours into a ledger that says it is a replay."""
    params = work.params(ReplayParams)
    with work.pool.connection() as connection:
        champion = models.active(connection)
    if champion is None:
        raise InputError("nothing can be replayed: no model has passed the gate yet")
    now, horizons = work.now, work.settings.horizons
    begin = now - dt.timedelta(hours=params.hours)
    done = replay_ledger(work.pool, champion, horizons, begin, now, params.label, code_version(), work.progress)
    refresh_performance(work.pool, horizons, now)
    refresh_record(work.pool, horizons, now)
    work.message = f"{done.sealed} forecasts sealed, {done.graded} graded, in a replay"
    return {"sealed": done.sealed, "graded": done.graded, "refused": done.refused}


def track_record(work: Work) -> dict[str, Any]:
    """Work the record out anew where the ledger or the results have grown."""
    sealed = refresh_record(work.pool, work.settings.horizons, work.now)
    work.message = "nothing new since the last time" if sealed is None else f"{sealed} sealed forecasts"
    return {"sealed": sealed}
