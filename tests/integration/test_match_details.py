"""Scores by period over real HTTP: asked for as matches end, kept raw, read where they add up."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RECORDED
from tests.integration.test_ingest import all_of
from tests.integration.test_live import activate
from tests.jobs import ended, enqueue, workers
from tests.older import DAY, NOW, TODAY, app, source_2025, source_2026, url
from tipoff.domain.match import KNOWABLE_AFTER
from tipoff.domain.payload import DETAIL
from tipoff.errors import TransientUpstreamError
from tipoff.ingest.ingest import ingest_pending
from tipoff.league import details as wire
from tipoff.league.server import LeagueApp
from tipoff.pipeline import details as pipeline
from tipoff.pipeline.details import fetch_details
from tipoff.pipeline.fetch import fetch
from tipoff.pipeline.state import bring_up_to_date
from tipoff.storage import details, health, payloads
from tipoff.storage.pool import Pool
from tipoff.upstream.h2h2026 import H2H2026Source

__all__ = ["app", "url"]

HOURS = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def source(url: str, pool: Pool) -> Iterator[H2H2026Source]:
    """The 2026 client on it; today's results are known."""
    with contextlib.closing(source_2026(url)) as made:
        fetch(pool, made, [TODAY], NOW)
        yield made


def ask(pool: Pool, source: Any, limit: int = 3, now: dt.datetime = NOW) -> dict[str, int]:
    """A run over the last day."""
    return fetch_details(pool, source, now, DAY, limit)


def test_both_generations_tell_the_same(pool: Pool, url: str, source: H2H2026Source) -> None:
    """Sides or quarters exchanged between the two APIs; points that do not add up to the result."""
    assert ask(pool, source, 40)["whole"] > 30
    assert all_of(
        pool, "select m.external_id from matches m join (select external_id, sum(points_a) as a, sum(points_b) as b "
        "from match_periods group by 1) p using (external_id) where (m.score_a, m.score_b) <> (p.a, p.b)"
    ) == []  # fmt: skip
    told = all_of(pool, "select * from match_periods order by 1, 2")
    over = {row[0] for row in told if row[1] == "overtime"}
    assert over, "some matches went into overtime"
    with pool.connection() as connection:
        connection.execute("delete from match_details")
    with contextlib.closing(source_2025(url)) as old:
        found = ask(pool, old, 40)
    assert found["raw"] == len(over), "the old API knows no overtime"
    assert all_of(pool, "select * from match_periods order by 1, 2") == [row for row in told if row[0] not in over]
    reasons = all_of(pool, "select distinct split_part(reason, ':', 1) from match_details where outcome = 'raw'")
    assert reasons == [("other_result",)]


def test_answers_are_kept_and_harm_nothing_else(pool: Pool, source: H2H2026Source) -> None:
    """A detail read as a schedule, a day that counts as settled, a league that looks alive because of it."""
    before = all_of(pool, "select count(*) from matches")
    with pool.connection() as connection:
        fresh = health.freshness(connection).fetched_at
    assert sum(ask(pool, source).values()) == 3
    kept = all_of(pool, f"select resource, ingested_at from raw_payloads where resource like '{DETAIL}%'")
    assert len(kept) == 3
    assert all(at is not None for _, at in kept)
    with pool.connection() as connection:
        connection.execute("update raw_payloads set last_fetched_at = last_fetched_at + interval '9 days'")
        assert payloads.settled_days(connection, source.name) == {TODAY}
        connection.execute(
            f"delete from raw_payloads where resource not like '{DETAIL}%' "
            "and id not in (select payload_id from match_arrivals)"
        )
        connection.execute("update raw_payloads set last_fetched_at = %s where resource = 'schedule'", (fresh,))
        assert payloads.settled_days(connection, source.name) == set()
        assert health.freshness(connection).fetched_at == fresh
    ingest_pending(pool, NOW)
    assert all_of(pool, "select count(*) from matches") == before
    assert all_of(pool, "select count(*) from quarantine") == [(0,)]


@pytest.mark.parametrize(
    ("fault", "outcome", "raw"),
    [
        ("404", "missing", 0), ("empty_day", "missing", 1), ("invalid_json", "raw", 1), ("wrong_types", "raw", 1),
        ("429", "failed", 0), ("500", "failed", 0), ("cut_body", "failed", 0), ("hang", "failed", 0),
    ],
)  # fmt: skip
def test_one_bad_answer_is_noted_and_holds_up_no_other(
    pool: Pool, app: LeagueApp, source: H2H2026Source, fault: str, outcome: str, raw: int
) -> None:
    """An answer that ends the run, or that is asked for at once again; one that is thrown away."""
    app.detail_faults.set(fault, 2 if outcome == "failed" else 1)
    found = ask(pool, source)
    assert found == {outcome: 1, "whole": 2}
    [(reason, next_at, payload)] = all_of(
        pool, "select reason, next_at, payload_id from match_details where outcome <> 'whole'"
    )
    assert (len(reason) > 5, next_at, payload is not None) == (True, NOW + 30 * MINUTE, raw == 1)
    assert all_of(pool, "select count(distinct external_id) from match_periods") == [(2,)]
    with pool.connection() as connection:
        waiting = details.due(connection, NOW + 29 * MINUTE, NOW - DAY, 500)
        again = details.due(connection, NOW + 30 * MINUTE, NOW - DAY, 500)
    assert len(again) == len(waiting) + 1


def test_what_never_comes_is_not_asked_for_for_ever(pool: Pool, app: LeagueApp, source: H2H2026Source) -> None:
    """A 404 a minute for two days, or one that is final at once."""
    app.detail_faults.set("404", 99)
    now, waits = NOW, []
    assert fetch_details(pool, source, now, 2 * HOURS, 1) == {"missing": 1}
    [(one,)] = all_of(pool, "select external_id from match_details")
    while (again := all_of(pool, "select next_at from match_details")[0][0]) is not None:
        waits.append(again - now)
        now = again
        with pool.connection() as connection:
            connection.execute("delete from match_periods")
            [due] = [d for d in details.due(connection, now, NOW - DAY, 500) if d.match.external_id == one]
            details.keep(connection, due, pipeline._read(connection, due, None, now), now)
    assert waits == [30 * MINUTE, 3 * HOURS, 24 * HOURS]
    with pool.connection() as connection:
        assert one not in {d.match.external_id for d in details.due(connection, NOW + 900 * DAY, NOW - DAY, 5000)}


def test_a_dead_server_is_left_alone(pool: Pool, app: LeagueApp, source: H2H2026Source) -> None:
    """Every match of two days tried at a server that is down."""
    app.detail_faults.set("500", 999)
    with pytest.raises(TransientUpstreamError, match="HTTP 500"):
        ask(pool, source, 40)
    assert all_of(pool, "select outcome, count(*) from match_details group by 1") == [("failed", 3)]
    assert 999 - app.detail_faults.count == 3 * 2, "two attempts each"


def test_a_run_is_bounded_and_begins_with_the_newest(pool: Pool, app: LeagueApp, source: H2H2026Source) -> None:
    """A first run that asks for two hundred matches at once; one that never comes to the newest."""
    newest = all_of(pool, "select external_id from matches where status = 'final' order by start_at desc limit 5")
    assert sum(ask(pool, source, 3).values()) == 3
    assert sum(ask(pool, source, 2).values()) == 2
    assert sorted(all_of(pool, "select external_id from match_details")) == sorted(newest)
    assert fetch_details(pool, source, NOW, DAY, 40, enough=lambda: True) == {}


def test_a_corrected_result_is_asked_for_again(pool: Pool, source: H2H2026Source) -> None:
    """Quarters of a result that no longer stands."""
    assert ask(pool, source, 3)["whole"] >= 1
    [(one,)] = all_of(pool, "select external_id from match_details where outcome = 'whole' limit 1")
    with pool.connection() as connection:
        assert one in {external_id for external_id, _ in details.known_at(connection, NOW + DAY)}
        connection.execute(
            "update matches set score_a = score_a + 9, score_b = score_b + 1, revision = revision + 1 "
            "where external_id = %s", (one,),
        )  # fmt: skip
        assert one not in {external_id for external_id, _ in details.known_at(connection, NOW + DAY)}
        assert [d.tries for d in details.due(connection, NOW, NOW - DAY, 500) if d.match.external_id == one] == [0]
    ask(pool, source, 1)
    assert all_of(pool, f"select outcome, tries, revision from match_details where external_id = '{one}'") == [
        ("raw", 1, 2)
    ]
    assert all_of(pool, f"select count(*) from match_periods where external_id = '{one}'") == [(0,)]


def test_no_forecast_sees_a_period(pool: Pool, source: H2H2026Source) -> None:
    """A quarter's points that reach the forecast of their own match, or of any other."""
    activate(pool)
    plain = bring_up_to_date(pool, NOW)
    ask(pool, source, 20)
    after = bring_up_to_date(pool, NOW)
    assert (after.state.to_bytes(), after.data_sha256) == (plain.state.to_bytes(), plain.data_sha256)
    with pool.connection() as connection:
        everything = {external_id for external_id, _ in details.known_at(connection, NOW + DAY)}
        starts = dict(all_of(pool, "select external_id, start_at from matches"))
        assert len(everything) > 10
        for external_id in everything:
            knowable = starts[external_id] + KNOWABLE_AFTER
            before = {one for one, _ in details.known_at(connection, knowable - MINUTE)}
            assert external_id not in before
            assert all(starts[one] + KNOWABLE_AFTER < knowable for one in before)
            assert external_id in {one for one, _ in details.known_at(connection, knowable)}


def test_the_league_shows_details_after_the_end_alone(app: LeagueApp) -> None:
    """A server whose quarters are there before the match is over, or that makes some up for real matches."""
    match = next(
        m for m in app.book.matches(NOW - 3 * HOURS, NOW) if m.withdrawn_at is None and m.status == "MATCH_ENDED"
    )
    assert wire.found(app.book, match.external_id, match.ended_at - MINUTE) is None
    shown = [m for m in app.book.matches(NOW - DAY, NOW) if wire.found(app.book, m.external_id, NOW + HOURS)]
    assert len(shown) > 200
    assert {wire.found(app.book, name, NOW) for name in ("", "NB", "NB999999999", "NB001320726")} == {None}


def test_the_simulated_details_have_the_keys_of_the_real_ones(app: LeagueApp) -> None:
    """A double that drifts away from the real thing."""
    sample = RECORDED / "samples" / "2025_match_stats_NB052120625.json"
    if not sample.exists():
        pytest.skip(f"no recorded sample at {sample}")
    real = json.loads(sample.read_text())["statistics"]
    match = next(m for m in app.book.matches(NOW - DAY, NOW) if wire.found(app.book, m.external_id, NOW))
    ours = wire.wire_2025(match, NOW)
    assert set(ours) <= set(real)
    for name, period in ours.items():
        assert set(period) <= set(real[name])
        assert period["gameStatsPeriod"] == real[name]["gameStatsPeriod"]
        assert {key for key in real[name] if key.endswith(("Points", "Rebounds", "PointersScored"))} <= set(period)


def test_the_job(pool: Pool, app: LeagueApp, url: str, application_dsn: str, tmp_path: Path) -> None:
    """Requests that nobody asked for; a job that cannot reach the source, or does not say what came of it."""
    with contextlib.closing(source_2026(url)) as source:
        fetch(pool, source, [TODAY], NOW)
    settings = {"TIPOFF_LEAGUE_URL": url, "TIPOFF_SPACING": "0"}
    common = ("--concurrency", "1", "--at", NOW.isoformat())
    with workers(application_dsn, tmp_path, 1, "--no-schedules", *common, **settings):
        done = ended(pool, enqueue(pool, "match_details"))
        assert (done.status, done.result) == ("completed", {"off": True})
        assert "TIPOFF_MATCH_DETAILS" in done.message
    assert all_of(pool, "select count(*) from match_details") == [(0,)]
    with workers(application_dsn, tmp_path, 1, *common, TIPOFF_MATCH_DETAILS="true", **settings):
        made = ended(pool, enqueue(pool, "match_details", limit=4, hours=20))
        assert made.status == "completed", made.error
        assert sum(made.result.values()) == 4
        assert "whole" in made.message
    assert ("match details",) in all_of(pool, "select name from job_schedules")
