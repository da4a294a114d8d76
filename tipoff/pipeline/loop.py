"""Poll, ingest, update, forecast, again and again until told to stop."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path

from tipoff.clock import Clock
from tipoff.errors import ConflictError, TransientUpstreamError
from tipoff.pipeline.fetch import FetchReport, days_until, fetch
from tipoff.pipeline.predict import Predicted, predict
from tipoff.pipeline.train import active_model, train
from tipoff.storage.pool import Pool
from tipoff.upstream.source import MatchSource

RETRAIN_AFTER = dt.timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """One turn of the loop; `error` says what went wrong where it did."""

    at: dt.datetime
    fetched: FetchReport | None
    predicted: list[Predicted]
    rebuilt: bool
    error: str | None


def run(
    pool: Pool, source: MatchSource, clock: Clock, folder: Path, stop: threading.Event, seconds: float,
    history_days: int, report: Callable[[Round], None],
) -> None:  # fmt: skip
    """Turn until `stop` is set; a failure that may pass is reported and the next turn tries again."""
    days = history_days
    while not stop.is_set():
        now = clock.now()
        try:
            fetched = fetch(pool, source, days_until(now, days), now)
            model = active_model(pool, folder)
            if model is None or now - dt.datetime.fromisoformat(model.model.trained_at) > RETRAIN_AFTER:
                train(pool, folder, now)
            live, predicted = predict(pool, clock.now())
            report(Round(now, fetched, predicted, live.rebuilt, None))
            days = 2
        except (TransientUpstreamError, ConflictError) as error:
            report(Round(now, None, [], False, str(error)))
        stop.wait(seconds)
