"""Payloads into a real database."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.wire import DAY, NOON, fixture, payload, row
from tipoff.domain.payload import RawPayload
from tipoff.ingest.ingest import IngestReport, ingest_pending
from tipoff.storage import fixtures, matches, payloads
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool, open_pool
from tipoff.upstream.recorded import RecordedSource

MINUTE = dt.timedelta(minutes=1)


def bring(pool: Pool, answer: RawPayload) -> IngestReport:
    """Keep a payload and read it."""
    with pool.connection() as connection:
        payloads.keep(connection, [answer])
    return ingest_pending(pool, answer.fetched_at)


def all_of(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with pool.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def test_the_same_payload_twice_changes_nothing(pool: Pool) -> None:
    """Results counted twice."""
    first = bring(pool, payload([row(1), row(2)], NOON))
    again = bring(pool, payload([row(1), row(2)], NOON + MINUTE))
    assert (first.new, again.new, again.changed) == (2, 0, 0)
    assert all_of(pool, "select count(*) from match_arrivals") == [(2,)]
    assert all_of(pool, "select times from raw_payloads") == [(2,)]


def test_a_changed_result_keeps_its_history(pool: Pool) -> None:
    """A correction that erases what was believed before."""
    bring(pool, payload([row(1)], NOON))
    changed = bring(pool, payload([row(1, teamAScore=0, teamBScore=0)], NOON + MINUTE))
    assert changed.changed == 1
    assert all_of(pool, "select status, revision from matches") == [("void", 2)]
    log = all_of(pool, "select status, score_a from match_arrivals order by arrival_id")
    assert log == [("final", 55), ("void", 0)]


def test_an_older_payload_does_not_undo_newer_knowledge(pool: Pool) -> None:
    """A payload read late, after a crash, that brings back the old score."""
    bring(pool, payload([row(1, teamAScore=60)], NOON + MINUTE))
    bring(pool, payload([row(1)], NOON))
    assert all_of(pool, "select score_a from matches") == [(60,)]


def test_a_vanished_fixture_is_withdrawn_and_can_come_back(pool: Pool) -> None:
    """A forecast for a match that will not be played."""
    a, b, c = (fixture(i, NOON + i * 10 * MINUTE) for i in (1, 2, 3))
    bring(pool, payload([a, b, c], NOON))
    gone = bring(pool, payload([a, c], NOON + MINUTE))
    assert gone.withdrawn == 1
    with pool.connection() as connection:
        shown = [f.external_id for f in fixtures.scheduled_after(connection, NOON + MINUTE)]
    assert shown == ["NB001010726", "NB003010726"]
    bring(pool, payload([a, b, c], NOON + 2 * MINUTE))
    with pool.connection() as connection:
        assert len(fixtures.scheduled_after(connection, NOON + MINUTE)) == 3


def test_what_lies_beyond_the_horizon_is_not_withdrawn(pool: Pool) -> None:
    """Tomorrow's fixtures withdrawn because today's view ends after an hour; an empty answer withdrawing all."""
    bring(pool, payload([fixture(1, NOON + 10 * MINUTE), fixture(2, NOON + 90 * MINUTE)], NOON))
    assert bring(pool, payload([fixture(1, NOON + 10 * MINUTE)], NOON + MINUTE)).withdrawn == 0
    assert bring(pool, payload([], NOON + 2 * MINUTE)).withdrawn == 0


def test_a_fixture_whose_row_cannot_be_believed_has_not_vanished(pool: Pool) -> None:
    """A withdrawal because the league sent one row with a wrong type."""
    rows = [fixture(i, NOON + i * 10 * MINUTE) for i in (1, 2, 3)]
    bring(pool, payload(rows, NOON))
    rows[1]["streamName"] = 7
    seen = bring(pool, payload(rows, NOON + MINUTE))
    assert (seen.withdrawn, seen.quarantined["bad_stream"]) == (0, 1)


def test_a_played_fixture_becomes_played(pool: Pool) -> None:
    """A fixture that stays scheduled beside its own result."""
    bring(pool, payload([fixture(1, NOON)], NOON - MINUTE))
    bring(pool, payload([row(1)], NOON + 40 * MINUTE))
    assert all_of(pool, "select status from upcoming_matches") == [("played",)]


def test_a_crash_between_keeping_and_reading_loses_nothing(pool: Pool) -> None:
    """A payload that was paid for and never read, or read twice."""
    with pool.connection() as connection:
        payloads.keep(connection, [payload([row(1)], NOON)])
    assert ingest_pending(pool, NOON).new == 1
    assert ingest_pending(pool, NOON).payloads == 0


@pytest.mark.parametrize(
    "statement",
    [
        "update match_arrivals set score_a = 1",
        "delete from match_arrivals",
        "truncate match_arrivals",
        "update matches set score_a = score_b",
        "update matches set score_a = null",
        "update matches set player_a = player_b",
        "update matches set status = 'live'",
    ],
)
def test_the_database_refuses_impossible_states(pool: Pool, owner: psycopg.Connection[Any], statement: str) -> None:
    """An invariant that lives only in code, or that the tables' owner can break by mistake."""
    bring(pool, payload([row(1)], NOON))
    refused = (psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)
    with pool.connection() as connection, pytest.raises(refused):
        connection.execute(statement.encode())
    with pytest.raises(psycopg.errors.IntegrityError):
        owner.execute(statement.encode())


VALUES: list[Any] = [
    None, True, False, 0, -1, 55, 10**30, 1.5, float("nan"), float("inf"), "", " ", "55", "NB1", "\u0000", "\ud800",
    "\u202e", "é" * 80, "👾", [], {}, [[]], {"a": {"b": []}}, "2026-07-01T12:00:00", "2026-13-01T00:00:00Z",
]  # fmt: skip


def hostile(rng: random.Random, number: int) -> Any:
    """A row that cannot be believed."""
    kind = rng.random()
    if kind < 0.05:
        return rng.choice(VALUES)
    broken = row(number)
    key = rng.choice(["externalId", "startDate", "participantAName", "participantBName"])
    if kind < 0.2:
        del broken[key]
    elif kind < 0.5:
        broken["teamAScore"] = rng.choice([v for v in VALUES if v not in (0, 55)] + ["x"])
    elif kind < 0.6:
        broken["matchStatus"] = rng.choice(["LIVE", 7, [], {}, ""])
    else:
        broken[key] = rng.choice([None, 3, [], {}, "", "\u0000", "\ud800", "\u202ex", "x" * 70, 1e400])
    return broken


def test_two_thousand_hostile_rows(pool: Pool) -> None:
    """A row that crashes the reader, is believed, or takes a good row with it."""
    rng = random.Random(5)
    bad, good = 0, 0
    for batch in range(40):
        start = NOON + batch * dt.timedelta(days=1)
        rows: list[Any] = []
        for i in range(50):
            rows.append(hostile(rng, 2 * i))
            rows.append(row(2 * i + 1, start=start))
        rng.shuffle(rows)
        report = bring(pool, payload(rows, start + dt.timedelta(hours=2), start.date()))
        bad += 50
        good += 50
        assert sum(report.quarantined.values()) == 50, report
        assert report.new == 50
    assert bad == 2000
    assert all_of(pool, "select count(*) from matches where status = 'final'") == [(good,)]
    assert all_of(pool, "select sum(times) from quarantine") == [(bad,)]
    assert all_of(pool, "select count(*) from quarantine where reason = '' or detail = ''") == [(0,)]


@pytest.mark.recorded
def test_every_recorded_real_row(pool: Pool, recorded_nba: Path) -> None:
    """Real rows refused, or void ones learned."""
    source = RecordedSource(recorded_nba)
    report = IngestReport()
    for day in source.days:
        for answer in source.fetch_day(day):
            report.add(bring(pool, answer))
    assert report.matches == 13_613
    assert not report.quarantined
    with pool.connection() as connection:
        assert len(matches.results(connection)) == 13_601
    assert DAY in source.days


COMPARED = {
    "matches": "external_id, start_at, status, score_a, first_observed_at, last_observed_at, revision",
    "match_arrivals": "arrival_id, external_id, observed_at, payload_id, start_at, status, score_a",
    "upcoming_matches": "external_id, start_at, status, first_seen_at, last_seen_at, withdrawn_at, withdrawn_because",
    "quarantine": "row_sha256, reason, payload_id, row_index, times, first_seen_at, last_seen_at",
    "players": "name, first_seen_at, last_seen_at",
}


@pytest.mark.parametrize("seed", range(6))
def test_read_together_or_one_by_one_is_the_same(server: PrivatePostgres, template: str, seed: int) -> None:
    """Answers read in one batch that mix up their times, or who said what."""
    answers = disorderly(random.Random(seed))
    found = []
    for together in (False, True):
        name = f"batch_{seed}_{together}".lower()
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}".encode())
        with contextlib.closing(open_pool(server.dsn.replace("dbname=postgres", f"dbname={name}"))) as pool:
            for answer in answers:
                with pool.connection() as connection:
                    payloads.keep(connection, [answer])
                if not together:
                    ingest_pending(pool, NOON)
            ingest_pending(pool, NOON)
            found.append(
                {t: all_of(pool, f"select {columns} from {t} order by 1, 2") for t, columns in COMPARED.items()}
            )
    assert found[0] == found[1]
    assert all(len(rows) > 2 for rows in found[0].values())


def disorderly(rng: random.Random) -> list[RawPayload]:
    """Answers of several days in the order they were fetched: corrected, vanished, played, and unbelievable rows."""
    made = []
    for i in range(30):
        at = NOON + i * 20 * MINUTE
        day = DAY + dt.timedelta(days=rng.choice([0, 0, 1, 2, 3]))
        begin = dt.datetime.combine(day, NOON.timetz())
        rows: list[dict[str, Any]] = []
        for n in sorted(rng.sample(range(1, 30), 8)):
            start = begin + n * 15 * MINUTE
            number = n + 100 * (day - DAY).days
            if start + 30 * MINUTE < at or rng.random() < 0.2:
                rows.append(row(number, start=start, teamAScore=rng.choice([55, 56, 0]), teamBScore=50))
            else:
                rows.append(fixture(number, start))
            if rng.random() < 0.1:
                rows[-1]["streamName"] = 7
        made.append(payload(rows, at, day))
    return made
