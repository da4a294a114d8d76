"""Grading a sealed forecast against its match's result, by external id alone."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from tipoff.forecast.forecaster import F64, Forecasts
from tipoff.forecast.metrics import score
from tipoff.ledger.chain import canonical, timestamp
from tipoff.storage.ledger import Gradable

SCORED = (
    "log_loss", "brier", "hit", "margin_error", "total_error", "margin_crps", "total_crps", "margin_inside",
    "total_inside",
)  # fmt: skip
NUMBERS = ("p_a", "margin_mean", "margin_sd", "total_mean", "total_sd")


def grade_bodies(found: Sequence[Gradable]) -> list[str]:
    """A canonical grade for each: graded with scores, void, or late (sealed after the match really began)."""
    contents = [json.loads(g.content) for g in found]
    statuses = [_status(g, c["at"]) for g, c in zip(found, contents, strict=True)]
    counted = [i for i, status in enumerate(statuses) if status == "graded"]
    numbers = np.array([[contents[i]["body"]["forecast"][n] for n in NUMBERS] for i in counted]).reshape(-1, 5).T
    points = np.array([[found[i].score_a, found[i].score_b] for i in counted], dtype=float).reshape(-1, 2).T
    scores = score_sealed(numbers, points[0] - points[1], points[0] + points[1])
    place = {i: at for at, i in enumerate(counted)}
    bodies = []
    for i, g in enumerate(found):
        body: dict[str, Any] = {
            "seal": g.seq,
            "external_id": g.external_id,
            "status": statuses[i],
            "result": {
                "status": g.status, "start": timestamp(g.start), "score_a": g.score_a, "score_b": g.score_b,
            },
            "scores": None,
        }  # fmt: skip
        if i in place:
            body["scores"] = {name: float(values[place[i]]) for name, values in scores.items()}
        bodies.append(canonical(body))
    return bodies


def score_sealed(numbers: F64, margin: F64, total: F64) -> dict[str, F64]:
    """Scores of sealed numbers, shape (5, n) in the order of NUMBERS, each of shape (n,)."""
    p_a, margin_mean, margin_sd, total_mean, total_sd = numbers
    nobody = np.zeros(numbers.shape[1], dtype=np.int64)
    made = Forecasts(p_a, margin_mean, margin_sd, total_mean, total_sd, nobody, np.zeros(len(nobody)))
    scores = score(made, margin, total)
    return {name: getattr(scores, name) for name in SCORED}


def _status(found: Gradable, sealed_at: str) -> str:
    if found.status != "final":
        return "void"
    start = found.start.astimezone(dt.UTC)
    return "late" if dt.datetime.fromisoformat(sealed_at) >= start else "graded"
