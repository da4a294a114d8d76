"""Replay the last days into a ledger that says it is a replay: for the demo, where no time passes.

Each forecast is made from what was knowable at its moment and sealed in order of time, through the same
database functions as live; only the clock is the replay's, and row 1 of the chain says so for ever. What
turned out void was not known to be: it is sealed too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

from tipoff.domain.match import Fixture, Match, MatchStatus
from tipoff.domain.progress import Progress, quiet
from tipoff.forecast.params import params_from_dict
from tipoff.forecast.state import FilterState, state_after
from tipoff.ledger.seal import Knowledge
from tipoff.pipeline.seal import SealReport, grade_known, seal_within
from tipoff.pipeline.state import NOTHING
from tipoff.storage import fixtures, ledger, matches
from tipoff.storage.pool import Pool

TOGETHER = 50
"""moments whose seals are kept in one transaction"""


def replay_ledger(
    pool: Pool, model: tuple[str, dict[str, Any]], horizons: Sequence[int], begin: dt.datetime, now: dt.datetime,
    label: str, code_version: str, progress: Progress = quiet,
) -> SealReport:  # fmt: skip
    """Seal what was due from `begin` to `now`, then grade; all at replay time.

    A ledger that was only opened is replayed from its opening, one that goes on from where it ends.
    """
    sha256, document = model
    with pool.connection() as connection:
        ledger.open_ledger(connection, "replay", label, begin)
        last = ledger.head(connection)
        over = matches.believed(connection)
        waiting = fixtures.scheduled_after(connection, begin)
    if last is not None:
        at = dt.datetime.fromisoformat(ledger.content(last)["at"])
        begin = at if last.seq == 1 else max(begin, at)
    results = [m for m in over if m.status is MatchStatus.FINAL]
    known = {m.external_id for m in over}
    events = sorted(
        (f.start - dt.timedelta(minutes=h), f.external_id, h, f)
        for f in [*over, *(w for w in waiting if w.external_id not in known)]
        for h in horizons
        if begin < f.start - dt.timedelta(minutes=h) <= now
    )
    report = SealReport()
    learner = _Learner(results, document, begin)
    moments = [(at, list(group)) for at, group in itertools.groupby(events, key=lambda event: event[0])]
    for first in range(0, len(moments), TOGETHER):
        with pool.connection() as connection:
            for at, group in moments[first : first + TOGETHER]:
                due: list[tuple[Fixture, int]] = [(event[3], event[2]) for event in group]
                state, data = learner.until(at)
                knowledge = Knowledge(sha256, code_version, 0, data, state.matches)
                done = seal_within(connection, state, knowledge, due, at)
                report.sealed += done.sealed
                report.refused |= done.refused
        progress((at - begin) / max(now - begin, dt.timedelta(seconds=1)), f"sealing as of {at:%d %B %H:%M}")
    report.graded = grade_known(pool, now)
    progress(1.0, f"{report.sealed} forecasts sealed, {report.graded} graded")
    return report


class _Learner:
    """The filter as it was at a moment that only moves forward, with the fingerprint of what it had learned."""

    def __init__(self, results: list[Match], document: dict[str, Any], begin: dt.datetime) -> None:
        self._results = results
        self._at = sum(m.knowable_at <= begin for m in results)
        self._state = state_after(params_from_dict(document["params"]), results[: self._at])
        self._data = _chained(NOTHING, results[: self._at])

    def until(self, at: dt.datetime) -> tuple[FilterState, str]:
        end = self._at
        while end < len(self._results) and self._results[end].knowable_at <= at:
            end += 1
        fresh = self._results[self._at : end]
        if fresh:
            self._state.learn(fresh)
            self._data = _chained(self._data, fresh)
            self._at = end
        return self._state, self._data


def _chained(data: str, results: Sequence[Match]) -> str:
    for m in results:
        line = f"{data}\n{m.external_id} {m.start.isoformat()} {m.score_a} {m.score_b}"
        data = hashlib.sha256(line.encode()).hexdigest()
    return data
