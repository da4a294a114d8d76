"""Keeping the house: health and the champion are reviewed, old jobs and models go, the ledger is verified."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from tipoff.jobs.service import JobService
from tipoff.jobs.types import CleanupParams
from tipoff.jobs.work import Work
from tipoff.ledger.export import read_heads
from tipoff.pipeline.registry import prune, sweep
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.pipeline.watch import keep_drift, keep_verification
from tipoff.storage import alerts, jobs, keys, models, outbox, reports, schedules

HOURS = 24
WEEK, MONTH = 7, 30
"""days"""


def health_review(work: Work) -> dict[str, Any]:
    """What was wrong since yesterday; kept beside the other findings, so that it outlives the reports."""
    with work.pool.connection() as connection:
        day = reports.reviewed(connection, HOURS)
        found = dataclasses.asdict(day)
        reports.find(connection, "daily_review", found, work.now)
    wrong = [f"{name} ({day.worst[name]}, {n} of {day.reports} looks)" for name, n in day.not_healthy.items()]
    live = len(day.alerts) - day.resolved
    parts = [
        ("not healthy: " + ", ".join(wrong)) if wrong else f"all was well in {day.reports} looks",
        f"{live} alerts live, {day.resolved} resolved", f"{sum(day.failed.values())} jobs failed",
    ]  # fmt: skip
    work.message = "; ".join(parts) if day.reports else "nobody looked: is a web process or a worker running?"
    return found


def cleanup(work: Work) -> dict[str, Any]:
    """How the week's jobs went; old jobs, ticks, messages, files of old or no models go; careers are recomputed."""
    params = work.params(CleanupParams)
    with work.pool.connection() as connection:
        week = jobs.ended_by_type(connection, WEEK)
        found = {
            "jobs": JobService().cleanup(connection, days=params.days, keep=params.keep),
            "answers": keys.forget_expired(connection),
            "ticks": schedules.forget_ticks(connection, params.days),
            "messages": outbox.forget(connection, params.days),
            "reports": reports.forget(connection, params.keep_reports),
            "alerts": alerts.forget(connection, params.days),
        }
    found["models"] = len(prune(work.pool, work.store, params.keep_models, work.now))
    found["players"] = refresh_statistics(work.pool, work.now, work.settings.learn_older)
    found["files"] = sweep(work.pool, work.store, work.now)
    ended, failed = sum(t["ended"] for t in week), sum(t["failed"] for t in week)
    gone = ", ".join(f"{n} {what}" for what, n in found.items() if what != "players")
    work.message = f"{ended} jobs ended in {WEEK} days, {failed} failed; {gone} deleted"
    return {**found, "week": week}


def model_review(work: Work) -> dict[str, Any]:
    """The champion's promises against its sealed forecasts; a new model is trained where they were not kept."""
    with work.pool.connection() as connection:
        scored = models.scored(connection)
        champion = models.active(connection)
        month = models.performance_since(connection, (work.now - dt.timedelta(days=MONTH)).date())
    watched = keep_drift(work.pool, work.settings.horizons, work.now)
    drifted = [d for d in watched if d.drifted]
    found: dict[str, Any] = {
        "champion": champion[0] if champion else None,
        "scored": scored,
        "month": month,
        "watched": [dataclasses.asdict(d) for d in watched],
        "training": None,
    }
    if champion is None or drifted:
        with work.pool.connection() as connection:
            job = JobService().enqueue(
                connection, "model_training", {}, requested_by="model review", parent=work.task.id
            )
        found["training"] = str(job.id)
    names = ", ".join(d.measure for d in drifted)
    work.message = (
        "no model forecasts: a training was enqueued" if champion is None
        else f"{names} drifted: a training was enqueued" if drifted
        else f"{len(watched)} measures watched, none drifted"
    )  # fmt: skip
    if month is not None:
        work.message = f"{_against(month)}; {work.message}"
    return found


def _against(month: dict[str, Any]) -> str:
    promised = "nothing promised" if month["promised"] is None else f"{month['promised']:.4f} promised"
    return f"log loss {month['log_loss']:.4f} of {month['matches']} matches in {MONTH} days ({promised})"


def ledger_verification(work: Work) -> dict[str, Any]:
    """Recompute the whole chain, and compare it with the heads that this machine published."""
    heads = read_heads(work.settings.heads) if work.settings.heads.exists() else []
    found = keep_verification(work.pool, heads)
    work.message = f"{found.rows} rows verify" if found.broken is None else f"BROKEN: {found.broken.reason}"
    return {"rows": found.rows, "heads": found.heads_compared, "broken": found.broken and found.broken.reason}
