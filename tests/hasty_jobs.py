"""Real jobs that try again sooner than in production, so that a test of an outage need not take minutes."""

from __future__ import annotations

import dataclasses
from typing import Any

import httpx

from tipoff.jobs.handlers import pipeline, training
from tipoff.jobs.types import DataPipelineParams, JobType, ModelTrainingParams, Secret
from tipoff.jobs.work import Work
from tipoff.storage.artifacts import SupabaseStore
from tipoff.upstream.h2h2026 import H2H2026Source

SILENCE = 1.0
"""seconds that the league may be silent"""


def hasty_refresh(work: Work) -> dict[str, Any]:
    """The pipeline over these days, without training."""
    assert isinstance(work.source, H2H2026Source)
    client = work.source._client
    client._manners = dataclasses.replace(client._manners, attempts=2, first_wait=0.1)
    client._client.timeout = httpx.Timeout(SILENCE)
    return pipeline.run(work, work.params(DataPipelineParams).history_days, False, False, None)


def hasty_training(work: Work) -> dict[str, Any]:
    """A training."""
    assert isinstance(work.store, SupabaseStore)
    work.store._attempts, work.store._first_wait = 2, 0.1
    return training.model_training(work)


TYPES = [
    JobType(
        "hasty_refresh", f"{__name__}:hasty_refresh", "", DataPipelineParams, max_attempts=50, backoff=(0.2, 1.0),
        secrets=frozenset({Secret.DATABASE, Secret.SOURCE}),
    ),
    JobType(
        "hasty_training", f"{__name__}:hasty_training", "", ModelTrainingParams, megabytes=1024, max_attempts=50,
        backoff=(0.2, 1.0), secrets=frozenset({Secret.DATABASE, Secret.ARTIFACTS}),
    ),
]  # fmt: skip
