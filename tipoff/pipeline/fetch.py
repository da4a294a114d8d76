"""Fetch days: keep each answer verbatim, then read it; what was interrupted is taken up again."""

from __future__ import annotations

import dataclasses
import datetime as dt

from tipoff.errors import TransientUpstreamError
from tipoff.forecast.fit import Progress, quiet
from tipoff.ingest.ingest import IngestReport, ingest_pending
from tipoff.storage import payloads
from tipoff.storage.pool import Pool
from tipoff.upstream.source import MatchSource

MAX_FAILURES = 3
"""days in a row that may fail before the fetch gives up"""


@dataclasses.dataclass(slots=True)
class FetchReport:
    """What a fetch did; `failed` says which days could not be read and why."""

    asked: int = 0
    settled: int = 0
    empty: int = 0
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    ingest: IngestReport = dataclasses.field(default_factory=IngestReport)


def days_until(now: dt.datetime, days: int) -> list[dt.date]:
    """The last `days` UTC days, today and tomorrow, oldest first."""
    today = now.date()
    return [today + dt.timedelta(days=i) for i in range(-days, 2)]


def fetch(
    pool: Pool, source: MatchSource, days: list[dt.date], now: dt.datetime, progress: Progress = quiet
) -> FetchReport:
    """Fetch and ingest `days`; days that can tell nothing new are not asked for again.

    A day that fails for a passing reason is named in the report and the others go on; after three in a row
    the last failure is raised. Raises TerminalUpstreamError at once where asking again is pointless.
    """
    report = FetchReport()
    report.ingest.add(ingest_pending(pool, now))
    with pool.connection() as connection:
        settled = payloads.settled_days(connection, source.name)
    in_a_row = 0
    for i, day in enumerate(days):
        progress(i / len(days), f"fetching {day}")
        if day in settled:
            report.settled += 1
            continue
        report.asked += 1
        try:
            answers = source.fetch_day(day)
        except TransientUpstreamError as error:
            report.failed[day.isoformat()] = str(error)
            in_a_row += 1
            if in_a_row >= MAX_FAILURES:
                raise
            continue
        in_a_row = 0
        report.empty += not answers
        with pool.connection() as connection:
            for answer in answers:
                payloads.keep(connection, answer)
        report.ingest.add(ingest_pending(pool, now))
    progress(1.0, f"fetched {report.asked} days")
    return report
