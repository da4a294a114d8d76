"""Ask for what the league says of matches that ended: a bounded number a run, each answer kept verbatim."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable

from tipoff.domain.progress import Progress, quiet
from tipoff.errors import UpstreamError
from tipoff.ingest.fields import BadRowError
from tipoff.ingest.periods import read_periods
from tipoff.pipeline.fetch import MAX_FAILURES
from tipoff.storage import details, payloads
from tipoff.storage.details import Due, Outcome
from tipoff.storage.pool import Connection, Pool
from tipoff.upstream.source import DetailSource, RawPayload

AGAIN = (dt.timedelta(minutes=30), dt.timedelta(hours=3), dt.timedelta(hours=24))
"""after how long a match without whole details is asked for again; after the last it never is"""


def fetch_details(
    pool: Pool, source: DetailSource, now: dt.datetime, back: dt.timedelta, limit: int, progress: Progress = quiet,
    enough: Callable[[], bool] = lambda: False,
) -> dict[str, int]:  # fmt: skip
    """Ask for at most `limit` matches that began within `back`; how many came to each outcome.

    One that fails is asked for again later and holds up no other; after three in a row the last failure is raised,
    when what was answered before is kept.
    """
    with pool.connection() as connection:
        wanted = details.due(connection, now, now - back, limit)
    found: collections.Counter[str] = collections.Counter()
    in_a_row = 0
    for i, one in enumerate(wanted):
        if enough():
            break
        progress(i / len(wanted), f"asking for {one.match.external_id}")
        failure: UpstreamError | None = None
        answer: RawPayload | None = None
        try:
            answer = source.fetch_details(one.match.external_id, one.match.start.date())
        except UpstreamError as error:
            failure = error
        with pool.connection() as connection, connection.transaction():
            outcome = _failed(one, now, failure) if failure else _read(connection, one, answer, now)
            details.keep(connection, one, outcome, now)
        found[outcome.outcome] += 1
        in_a_row = in_a_row + 1 if failure else 0
        if failure and in_a_row >= MAX_FAILURES:
            raise failure
    return dict(found)


def _read(connection: Connection, asked: Due, answer: RawPayload | None, now: dt.datetime) -> Outcome:
    """Keep the answer and say what is in it."""
    if answer is None:
        return Outcome("missing", "the league has nothing on it", _again(asked, now))
    [number] = payloads.keep(connection, [answer])
    payloads.mark_ingested(connection, [number], now)
    try:
        periods = read_periods(answer, asked.match)
    except BadRowError as bad:
        return Outcome("raw", str(bad), _again(asked, now), number)
    if not periods:
        return Outcome("missing", "the league has no figures", _again(asked, now), number)
    return Outcome("whole", "", None, number, periods)


def _failed(asked: Due, now: dt.datetime, failure: UpstreamError) -> Outcome:
    return Outcome("failed", str(failure), _again(asked, now))


def _again(asked: Due, now: dt.datetime) -> dt.datetime | None:
    return now + AGAIN[asked.tries] if asked.tries < len(AGAIN) else None
