"""Keeping the house: old jobs and models go, the champion is reviewed, the database is looked after."""

from __future__ import annotations

import dataclasses
from typing import Any

import psycopg

from tipoff.errors import InputError
from tipoff.jobs.service import JobService
from tipoff.jobs.types import CleanupParams
from tipoff.jobs.work import Work
from tipoff.ledger.export import read_heads
from tipoff.pipeline.registry import prune, sweep
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.pipeline.watch import keep_drift, keep_verification
from tipoff.storage import alerts, care, keys, models, outbox, reports, schedules


def cleanup(work: Work) -> dict[str, Any]:
    """Old final jobs, ticks, delivered messages, model files and files of no model go; careers are recomputed."""
    params = work.params(CleanupParams)
    with work.pool.connection() as connection:
        found = {
            "jobs": JobService().cleanup(connection, days=params.days, keep=params.keep),
            "answers": keys.forget_expired(connection),
            "ticks": schedules.forget_ticks(connection, params.days),
            "messages": outbox.forget(connection, params.days),
            "reports": reports.forget(connection, params.keep_reports),
            "alerts": alerts.forget(connection, params.days),
        }
    found["models"] = len(prune(work.pool, work.store, params.keep_models, work.now))
    found["players"] = refresh_statistics(work.pool, work.now)
    found["files"] = sweep(work.pool, work.store, work.now)
    work.message = ", ".join(f"{n} {what}" for what, n in found.items() if what != "players") + " deleted"
    return found


def model_review(work: Work) -> dict[str, Any]:
    """The champion's promises against its sealed forecasts; a new model is trained where they were not kept."""
    with work.pool.connection() as connection:
        scored = models.scored(connection)
        champion = models.active(connection)
    watched = keep_drift(work.pool, work.settings.horizons, work.now)
    drifted = [d for d in watched if d.drifted]
    found: dict[str, Any] = {
        "champion": champion[0] if champion else None,
        "scored": scored,
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
    return found


def ledger_verification(work: Work) -> dict[str, Any]:
    """Recompute the whole chain, and compare it with the heads that this machine published."""
    heads = read_heads(work.settings.heads) if work.settings.heads.exists() else []
    found = keep_verification(work.pool, heads)
    work.message = f"{found.rows} rows verify" if found.broken is None else f"BROKEN: {found.broken.reason}"
    return {"rows": found.rows, "heads": found.heads_compared, "broken": found.broken and found.broken.reason}


def database_care(work: Work) -> dict[str, Any]:
    """Vacuum and analyze table by table, as the owner; sizes before and after."""
    if work.task.owner_dsn is None:
        raise InputError("database care needs the owner's address of the database")
    with psycopg.connect(work.task.owner_dsn, autocommit=True) as connection:
        before = care.sizes(connection)
        for i, table in enumerate(sorted(before)):
            work.progress(i / len(before), f"vacuum {table}")
            care.vacuum(connection, table)
        after = care.sizes(connection)
    work.message = f"{len(after)} tables vacuumed and analyzed, {sum(after.values()) / 2**20:.1f} MB"
    return {"bytes_before": before, "bytes_after": after}
