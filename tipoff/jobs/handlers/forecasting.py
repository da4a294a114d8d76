"""What several handlers do in the same way: predict and seal, grade and watch."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tipoff.clock import SystemClock
from tipoff.jobs.work import Work
from tipoff.pipeline.code import code_version
from tipoff.pipeline.heads import publish_due
from tipoff.pipeline.predict import predict
from tipoff.pipeline.seal import grade_known, seal_due
from tipoff.pipeline.watch import keep_drift, refresh_performance
from tipoff.storage import ledger, models

LOOK_BACK = dt.timedelta(days=14)
"""results that were observed longer ago than that were graded by an earlier job"""

SKIPPED = {"skipped": "nothing is forecast: no model has passed the gate yet", "fixtures": 0, "sealed": 0}
"""the result where no model forecasts"""


def has_champion(work: Work) -> bool:
    """Whether a model forecasts."""
    with work.pool.connection() as connection:
        return models.active(connection) is not None


def live_ledger(work: Work) -> bool:
    """Whether forecasts may be sealed now: the clock is the real one, and the ledger is no replay."""
    if not isinstance(work.clock, SystemClock):
        return False
    with work.pool.connection() as connection:
        first = ledger.first(connection)
    return first is None or ledger.content(first)["body"]["clock"] == "database"


def predict_and_seal(work: Work, with_predictions: bool) -> dict[str, Any]:
    """Forecast every known fixture, seal what is due; raises InputError without a model."""
    live, predicted = predict(work.pool, work.now, work.settings.learn_older)
    found: dict[str, Any] = {"fixtures": len(predicted), "results": live.state.matches, "model": live.model}
    if live_ledger(work):
        sealed = seal_due(work.pool, live, work.settings.horizons, code_version())
        found |= {"sealed": sealed.sealed, "refused": sealed.refused}
    else:
        found |= {"sealed": 0, "not_sealed_because": "this is not the present, or the ledger is a replay"}
    if with_predictions:
        found["predictions"] = [p.as_json() for p in predicted]
    return found


def grade(work: Work, everything: bool) -> dict[str, Any]:
    """Grade what is over, refresh performance, watch for drift, publish the head."""
    if not live_ledger(work):
        return {"graded": 0, "not_graded_because": "this is not the present, or the ledger is a replay"}
    settings, now = work.settings, work.now
    since = None if everything else now - LOOK_BACK
    graded = grade_known(work.pool, since=since)
    found: dict[str, Any] = {"graded": graded}
    if graded:
        refresh_performance(work.pool, settings.horizons, now, since)
        found["drift"] = [
            {"measure": d.measure, "promised": d.promised, "seen": d.seen}
            for d in keep_drift(work.pool, settings.horizons, now) if d.drifted
        ]  # fmt: skip
    every = dt.timedelta(minutes=settings.heads_every)
    head = publish_due(work.pool, settings.heads, every, settings.heads_git, now)
    if head is not None:
        found["head"] = {"seq": head.seq, "hash": head.hash}
    return found


def words(found: dict[str, Any]) -> str:
    """One sentence on what was forecast, sealed and graded."""
    if "skipped" in found:
        return str(found["skipped"])
    sealed = f"{found['sealed']} forecasts sealed" if "not_sealed_because" not in found else "none sealed (a replay)"
    refused = "".join(f"; {match} {why}" for match, why in found.get("refused", {}).items())
    return f"{found['fixtures']} fixtures forecast, {sealed}{refused}, {found.get('graded', 0)} graded"
