"""Seal what is due and grade what is over, on the ledger's own clock."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from tipoff.domain.match import Fixture
from tipoff.forecast.state import FilterState
from tipoff.ledger.grade import grade_bodies
from tipoff.ledger.seal import Knowledge, seal_body
from tipoff.pipeline.state import Live
from tipoff.storage import ledger
from tipoff.storage.pool import Connection, Pool

REFUSED = "refused"
BATCH = 2000


@dataclasses.dataclass(slots=True)
class SealReport:
    """What a pass over the ledger did; `refused` maps external ids to the database's reasons."""

    sealed: int = 0
    graded: int = 0
    refused: dict[str, str] = dataclasses.field(default_factory=dict)


def knowledge_of(live: Live, code_version: str) -> Knowledge:
    """What the live filter's forecasts are made from."""
    return Knowledge(live.model, code_version, live.last_arrival_id, live.data_sha256, live.state.matches)


def seal_due(
    pool: Pool, live: Live, horizons: Sequence[int], code_version: str, at: dt.datetime | None = None
) -> SealReport:
    """Seal every fixture that has come within a horizon (minutes) and was not sealed there.

    What is due is asked of the ledger's clock, not of this machine's; the database refuses what has begun.
    `at` is for a ledger opened as a replay alone. Raises InputError where the chain cannot be used so.
    """
    with pool.connection() as connection:
        ledger.open_ledger(connection)
        due = ledger.due(connection, ledger.now(connection, at), horizons)
    return append_seals(pool, live.state, knowledge_of(live, code_version), due, at)


def append_seals(
    pool: Pool, state: FilterState, knowledge: Knowledge, due: Sequence[tuple[Fixture, int]], at: dt.datetime | None
) -> SealReport:
    """Forecast and seal these fixtures at these horizons, with the ratings used, in one transaction."""
    if not due:
        return SealReport()
    with pool.connection() as connection, connection.transaction():
        return seal_within(connection, state, knowledge, due, at)


def seal_within(
    connection: Connection, state: FilterState, knowledge: Knowledge, due: Sequence[tuple[Fixture, int]],
    at: dt.datetime | None,
) -> SealReport:  # fmt: skip
    """The same in the caller's transaction."""
    report = SealReport()
    forecasts = state.forecast([fixture for fixture, _ in due])
    strengths = {name: (mean, sd) for name, mean, sd in state.strengths()}
    bodies = [
        seal_body(fixture, horizon, forecast, knowledge, strengths)
        for (fixture, horizon), forecast in zip(due, forecasts, strict=True)
    ]
    ratings = []
    outcomes = ledger.seal(connection, bodies, at)
    moment = ledger.now(connection, at)
    for (fixture, _), outcome in zip(due, outcomes, strict=True):
        if outcome.isdigit():
            report.sealed += 1
            for player in (fixture.player_a, fixture.player_b):
                if player in strengths:
                    played = state.known_of(player)
                    ratings.append(
                        (player, moment, knowledge.model, knowledge.last_arrival_id, played, *strengths[player])
                    )
        elif outcome.startswith(REFUSED):
            report.refused[fixture.external_id] = outcome
    ledger.keep_ratings(connection, ratings)
    return report


def grade_known(pool: Pool, at: dt.datetime | None = None, since: dt.datetime | None = None) -> int:
    """Grade sealed forecasts whose results are known, and again those whose results were corrected.

    Returns how many rows were added. `since` leaves out matches that were last observed before it.
    """
    with pool.connection() as connection:
        if ledger.first(connection) is None:
            return 0
        found = ledger.gradable(connection, ledger.now(connection, at), since)
    bodies = grade_bodies(found)
    added = 0
    for begin in range(0, len(bodies), BATCH):
        with pool.connection() as connection:
            outcomes = ledger.grade(connection, bodies[begin : begin + BATCH], at)
        added += sum(outcome.isdigit() for outcome in outcomes)
    return added
