"""Fetch days: keep each answer verbatim, then read it; what was interrupted is taken up again."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable

from tipoff.domain.payload import RawPayload
from tipoff.domain.progress import Progress, quiet
from tipoff.errors import TransientUpstreamError
from tipoff.ingest.ingest import IngestReport, ingest_pending
from tipoff.storage import payloads
from tipoff.storage.pool import Connection, Pool
from tipoff.upstream.source import MatchSource

BATCH_BYTES = 8_000_000
"""answers are kept once they are that big together, so that an interruption loses little and memory is bounded"""
MAX_FAILURES = 3
"""days in a row that may fail before the fetch gives up"""


@dataclasses.dataclass(slots=True)
class FetchReport:
    """What a fetch did; `failed` says which days could not be read and why."""

    asked: int = 0
    settled: int = 0
    empty: int = 0
    left: int = 0
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    ingest: IngestReport = dataclasses.field(default_factory=IngestReport)


def days_until(now: dt.datetime, days: int) -> list[dt.date]:
    """The last `days` UTC days, today and tomorrow, oldest first."""
    today = now.date()
    return [today + dt.timedelta(days=i) for i in range(-days, 2)]


def fetch(
    pool: Pool, source: MatchSource, days: list[dt.date], now: dt.datetime, progress: Progress = quiet
) -> FetchReport:
    """Fetch `days`, then read every answer that waits to be read; see `keep_days`."""
    report = keep_days(pool, source, days, lambda share, message: progress(share * 0.8, message))
    report.ingest.add(ingest_pending(pool, now, lambda share, message: progress(0.8 + share * 0.2, message)))
    progress(1.0, f"fetched {report.asked} days")
    return report


def keep_days(
    pool: Pool, source: MatchSource, days: list[dt.date], progress: Progress = quiet,
    kept: Callable[[Connection, list[dt.date]], None] = lambda _connection, _days: None,
    enough: Callable[[], bool] = lambda: False,
) -> FetchReport:  # fmt: skip
    """Ask for `days` and keep the answers verbatim, a batch a transaction; settled days are not asked for again.

    A day that fails for a passing reason is named in the report and the others go on; after three in a row
    the last failure is raised, when what was answered before is kept. Raises TerminalUpstreamError at once where
    asking again is pointless. `kept` is called in the transaction that keeps those days. Once `enough` says so
    it ends; the report then says how many days are `left`.
    """
    report = FetchReport()
    with pool.connection() as connection:
        settled = payloads.settled_days(connection, source.name)
    batch: dict[dt.date, list[RawPayload]] = {}
    in_a_row = 0
    try:
        for i, day in enumerate(days):
            progress(i / len(days), f"fetching {day}")
            if day in settled:
                report.settled += 1
                continue
            if enough():
                report.left = len(days) - i
                break
            report.asked += 1
            try:
                batch[day] = source.fetch_day(day)
            except TransientUpstreamError as error:
                report.failed[day.isoformat()] = str(error)
                in_a_row += 1
                if in_a_row >= MAX_FAILURES:
                    raise
                continue
            in_a_row = 0
            report.empty += not batch[day]
            if sum(len(answer.body) for answers in batch.values() for answer in answers) > BATCH_BYTES:
                _keep(pool, batch, kept)
    finally:
        _keep(pool, batch, kept)
    return report


def _keep(
    pool: Pool, batch: dict[dt.date, list[RawPayload]], kept: Callable[[Connection, list[dt.date]], None]
) -> None:
    if batch:
        with pool.connection() as connection:
            answers = [answer for answers in batch.values() for answer in answers]
            if answers:
                payloads.keep(connection, answers)
            kept(connection, list(batch))
        batch.clear()
