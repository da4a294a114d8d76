"""Poll, ingest, update, forecast, seal, grade, again and again until told to stop."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path

from tipoff.clock import Clock
from tipoff.errors import ArtifactError, ConflictError, TransientUpstreamError
from tipoff.ledger.chain import Head
from tipoff.ledger.drift import Drift
from tipoff.ledger.export import publish_head, tag_head
from tipoff.pipeline.fetch import FetchReport, days_until, fetch
from tipoff.pipeline.predict import Predicted, predict
from tipoff.pipeline.registry import Submitted
from tipoff.pipeline.seal import SealReport, grade_known, seal_due
from tipoff.pipeline.train import train
from tipoff.pipeline.watch import drift, refresh_performance
from tipoff.storage import ledger, models
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.pool import Pool
from tipoff.upstream.source import MatchSource

RETRAIN_AFTER = dt.timedelta(days=7)
FIRST_AGAIN_AFTER = dt.timedelta(hours=1)
"""how long to wait with another first model after one was refused"""
LOOK_BACK = dt.timedelta(days=14)
"""results observed longer ago than that have been graded already"""


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """One turn of the loop; `error` says what went wrong where it did."""

    at: dt.datetime
    fetched: FetchReport | None
    predicted: list[Predicted]
    rebuilt: bool
    error: str | None
    sealed: SealReport | None = None
    trained: Submitted | None = None
    drifts: list[Drift] = dataclasses.field(default_factory=list)
    head: Head | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How the loop works: seconds between turns, days of history at first, horizons, and where heads go."""

    seconds: float
    history_days: int
    horizons: list[int]
    heads: Path
    heads_every: dt.timedelta
    heads_git: Path | None
    code_version: str


class Loop:
    """Fetch, train when it is time, forecast, seal, grade, watch drift, publish heads; one `turn` at a time."""

    def __init__(self, pool: Pool, store: ArtifactStore, source: MatchSource, clock: Clock, plan: Plan) -> None:
        self._pool, self._store, self._source, self._clock, self._plan = pool, store, source, clock, plan
        self._days = plan.history_days
        self._tried: dt.datetime | None = None
        self._published: dt.datetime | None = None
        self._looked_back = False
        self._refused = ""

    def run(self, stop: threading.Event, report: Callable[[Round], None]) -> None:
        """Turn until `stop` is set; a failure that may pass is reported and the next turn tries again."""
        while not stop.is_set():
            now = self._clock.now()
            try:
                report(self.turn(now))
            except (TransientUpstreamError, ConflictError, ArtifactError) as error:
                report(Round(now, None, [], rebuilt=False, error=str(error)))
            stop.wait(self._plan.seconds)

    def turn(self, now: dt.datetime) -> Round:
        """One turn at `now`."""
        fetched = fetch(self._pool, self._source, days_until(now, self._days), now)
        trained = self._train(now)
        self._refused = self._refused if trained is None else trained.verdict.reason
        if not self._has_model():
            return Round(now, fetched, [], False, f"no model has passed the gate yet: {self._refused}", None, trained)
        live, predicted = predict(self._pool, self._clock.now())
        sealed = seal_due(self._pool, live, self._plan.horizons, self._plan.code_version)
        sealed.graded = grade_known(self._pool, since=now - LOOK_BACK if self._looked_back else None)
        drifts: list[Drift] = []
        if sealed.graded:
            since = now - LOOK_BACK if self._looked_back else None
            refresh_performance(self._pool, self._plan.horizons, now, since)
            drifts = [d for d in drift(self._pool, self._plan.horizons, now) if d.drifted]
        self._looked_back = True
        self._days = 2
        return Round(now, fetched, predicted, live.rebuilt, None, sealed, trained, drifts, self._publish(now))

    def _train(self, now: dt.datetime) -> Submitted | None:
        """Train when there is no model, or none was trained or tried for a week."""
        with self._pool.connection() as connection:
            active = models.active(connection)
        if active is None:
            wait, newest = FIRST_AGAIN_AFTER, self._tried
        else:
            trained = dt.datetime.fromisoformat(active[1]["trained_at"])
            wait, newest = RETRAIN_AFTER, max(trained, self._tried or trained)
        if newest is not None and now - newest <= wait:
            return None
        self._tried = now
        return train(self._pool, self._store, now, self._plan.code_version).submitted

    def _has_model(self) -> bool:
        with self._pool.connection() as connection:
            return models.active(connection) is not None

    def _publish(self, now: dt.datetime) -> Head | None:
        if self._published is not None and now - self._published < self._plan.heads_every:
            return None
        self._published = now
        with self._pool.connection() as connection:
            newest = ledger.head(connection)
        if newest is None:
            return None
        head = Head(newest.seq, newest.hash, ledger.content(newest)["at"])
        if not publish_head(head, self._plan.heads):
            return None
        if self._plan.heads_git is not None:
            tag_head(head, self._plan.heads_git)
        return head
