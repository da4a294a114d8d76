"""Results since 2023: fetched from the 2025 API, kept apart, learned from only where somebody says so."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RECORDED
from tests.integration.test_ingest import all_of, bring
from tests.integration.test_live import activate
from tests.jobs import ROOT, eventually
from tests.older import (
    DAY,
    NOW,
    TODAY,
    app,
    source_2025,
    source_2026,
    told_2025,
    told_2026,
    url,
    wire_2025,
    wire_2026,
)
from tests.simulated import simulate
from tipoff.clock import FixedClock
from tipoff.domain.match import Match
from tipoff.errors import InputError
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import state_after
from tipoff.forecast.table import in_order
from tipoff.ingest.parse import parse
from tipoff.league import wire2025
from tipoff.league.book import BookedMatch
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.pipeline.fetch import fetch
from tipoff.pipeline.history import History
from tipoff.pipeline.seal import append_seals, grade_known, knowledge_of
from tipoff.pipeline.state import bring_up_to_date
from tipoff.pipeline.wiring import older_results
from tipoff.settings import Settings
from tipoff.storage import health, ledger, matches, overview
from tipoff.storage.pool import Pool
from tipoff.upstream.older import OlderResults

__all__ = ["app", "url"]

MINUTE = dt.timedelta(minutes=1)
LONG_AGO = dt.date(2026, 2, 20)


@pytest.fixture
def older(url: str) -> Iterator[OlderResults]:
    """The source of older results on that league."""
    with contextlib.closing(OlderResults(source_2025(url))) as source:
        yield source


def season() -> tuple[list[Match], list[Match], list[Match]]:
    """Older results, those of the league's own feed, and the next matches; a day of each."""
    played = in_order(simulate(3)[0])
    days = [[m for m in played if m.start.day == day] for day in (1, 2, 3)]
    return days[0], days[1], days[2][:20]


def test_it_is_off_by_default() -> None:
    """A server asked that nobody named; forecasts that learn from what nobody measured."""
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert (settings.history_url, settings.learn_older, settings.match_details) == (None, False, False)
    with (
        pytest.raises(InputError, match="set TIPOFF_HISTORY_URL"),
        older_results(settings, FixedClock(NOW)),
    ):
        pass


def test_the_old_api_tells_the_same_and_is_kept_apart(pool: Pool, url: str, older: OlderResults) -> None:
    """Sides, names or streams that differ between generations; old answers that make a silent league look alive."""
    days = [LONG_AGO - i * DAY for i in range(3)]
    with contextlib.closing(source_2026(url, NOW - MINUTE)) as feed:
        fetch(pool, feed, [TODAY], NOW - MINUTE)
    with pool.connection() as connection:
        before = health.freshness(connection), overview.overview(connection).data_source
    report = fetch(pool, older, days, NOW)
    assert (report.asked, report.failed, sum(report.ingest.quarantined.values())) == (3, {}, 0)
    with pool.connection() as connection:
        found = matches.older(connection)
        assert (found.results, found.days, found.last) == (report.ingest.new - _void(pool), 3, LONG_AGO)
        assert [m.start.date() for m in matches.results(connection)] == [TODAY] * len(matches.results(connection))
        told = {m.external_id: m for m in matches.results(connection, older=True)}
        after = health.freshness(connection), overview.overview(connection).data_source
    assert (after[0].fetched_at, after[1]) == (before[0].fetched_at, before[1])
    begin = dt.datetime.combine(LONG_AGO, dt.time(), tzinfo=dt.UTC)
    for booked in League().matches(begin, begin + DAY):
        if booked.external_id in told and booked.correction is None:
            match = told[booked.external_id]
            assert (match.player_a, match.player_b, match.stream) == (booked.player_a, booked.player_b, booked.stream)
            assert (match.score_a, match.score_b) == (booked.score_a, booked.score_b)


def _void(pool: Pool) -> int:
    [(number,)] = all_of(pool, "select count(*) from matches where older and status <> 'final'")
    return int(number)


def test_a_stopped_fetch_goes_on_where_it_was(pool: Pool, older: OlderResults) -> None:
    """Days that are asked for twice, or never, after Ctrl-C."""
    days = [LONG_AGO - i * DAY for i in range(6)]

    def stop(share: float, _message: str) -> None:
        if share >= 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(pool, older, days, NOW, stop)
    kept = all_of(pool, "select day from raw_payloads order by day desc")
    assert kept == [(day,) for day in days[: len(kept)]]
    assert 2 <= len(kept) <= 4, "the newest days first"
    again = fetch(pool, older, days, NOW)
    assert (again.settled, again.asked) == (len(kept), 6 - len(kept))
    assert all_of(pool, "select count(distinct start_at::date) from matches") == [(6,)]


@pytest.mark.parametrize("fault", ["429", "500", "cut_body", "hang"])
def test_a_day_that_fails_is_named_and_comes_next_time(
    pool: Pool, app: LeagueApp, older: OlderResults, fault: str
) -> None:
    """A hole in the history that nobody hears of."""
    app.faults.set(fault, 2)
    days = [LONG_AGO - i * DAY for i in range(3)]
    report = fetch(pool, older, days, NOW)
    assert list(report.failed) == [LONG_AGO.isoformat()]
    again = fetch(pool, older, days, NOW)
    assert (again.settled, again.asked, again.failed) == (2, 1, {})


def test_what_was_fetched_changes_no_forecast_until_it_is_asked_for(pool: Pool) -> None:
    """A forecast, a fingerprint or a training set that moves because somebody has fetched; a way with no way back."""
    activate(pool)
    old, known, soon = season()
    end = known[-1].start + 60 * MINUTE
    bring(pool, told_2026([wire_2026(m) for m in known[:-5]], end))
    plain = bring_up_to_date(pool, end)
    with pool.connection() as connection:
        trained = History.known_at(pool, connection, end).recent()
    bring(pool, told_2025([wire_2025(m) for m in old], end + MINUTE, old[0].start.date()))
    after = bring_up_to_date(pool, end + MINUTE)
    assert after.state.to_bytes() == plain.state.to_bytes()
    assert (after.data_sha256, after.rebuilt) == (plain.data_sha256, False)
    assert after.last_arrival_id > plain.last_arrival_id, "skipped entries are not read again and again"
    with pool.connection() as connection:
        now = History.known_at(pool, connection, end + MINUTE)
        assert now.recent() == trained
        assert now.learned(BUILT_IN).to_bytes() == state_after(BUILT_IN, trained).to_bytes()
        whole = History.known_at(pool, connection, end + MINUTE, older=True)
        assert whole.recent() == [*old, *trained]
        assert matches.results(connection, older=True) == [*old, *known[:-5]]
    learned = bring_up_to_date(pool, end + MINUTE, older=True)
    assert learned.rebuilt
    assert learned.state.to_bytes() == state_after(BUILT_IN, [*old, *known[:-5]]).to_bytes()
    bring(pool, told_2026([wire_2026(m) for m in known], end + 2 * MINUTE))
    on_top = bring_up_to_date(pool, end + 2 * MINUTE, older=True)
    assert not on_top.rebuilt
    again = state_after(BUILT_IN, [*old, *known]).forecast(soon)
    for one, other in zip(on_top.state.forecast(soon), again, strict=True):
        assert dataclasses.astuple(one) == pytest.approx(dataclasses.astuple(other), abs=1e-9)
    back = bring_up_to_date(pool, end + 2 * MINUTE)
    assert back.state.to_bytes() == state_after(BUILT_IN, known).to_bytes()


def test_a_match_of_both_generations_is_one_match(pool: Pool) -> None:
    """A result counted twice; a void match that the old API, which knows no void ones, makes count again."""
    activate(pool)
    [one, two, three, four] = season()[1][:4]
    end = four.start + 60 * MINUTE
    void = wire_2026(two, matchStatus="PERMANENT_BET_SUSPEND")
    bring(pool, told_2026([wire_2026(one), void], end))
    bring(pool, told_2025([wire_2025(m, homeScore=99) for m in (one, two, three, four)], end + MINUTE))
    assert all_of(pool, "select external_id, status, score_a, older, revision from matches order by start_at") == [
        (one.external_id, "final", one.score_a, False, 1), (two.external_id, "void", two.score_a, False, 1),
        (three.external_id, "final", 99, True, 1), (four.external_id, "final", 99, True, 1),
    ]  # fmt: skip
    bring(pool, told_2026([wire_2026(three), wire_2026(four, teamAScore=99)], end - 30 * MINUTE))
    assert all_of(pool, "select score_a, older from matches order by start_at")[2:] == [
        (three.score_a, False), (99, False)
    ]  # fmt: skip
    bring(pool, told_2025([wire_2025(three, homeScore=98)], end + 90 * MINUTE))
    with pool.connection() as connection:
        log = [a for part in matches.arrivals_after(connection, 0) for a in part]
        assert [(a.match.external_id, a.first) for a in log] == [
            (m.external_id, True) for m in (one, two, three, four)
        ]
    plain = bring_up_to_date(pool, end + 90 * MINUTE).state
    assert plain.to_bytes() == state_after(BUILT_IN, [one, three, dataclasses.replace(four, score_a=99)]).to_bytes()


def test_a_fixture_is_not_withdrawn_by_old_answers(pool: Pool) -> None:
    """A match to come that vanishes because the old API does not speak of it."""
    one, two = season()[1][:2]
    gone = one.start + 300 * MINUTE
    bring(
        pool,
        told_2026([{**wire_2026(one), "matchStatus": None, "teamAScore": None, "teamBScore": None}], one.start - DAY),
    )
    bring(pool, told_2025([wire_2025(two)], gone, one.start.date()))
    assert all_of(pool, "select status from upcoming_matches") == [("scheduled",)]


def test_the_simulated_row_has_keys_of_the_real_one() -> None:
    """A double that knows more than the real API tells: a stream by name above all."""
    sample = RECORDED / "samples" / "2025_schedule_type_match_first_1000_chars.txt"
    if not sample.exists():
        pytest.skip(f"no recorded sample at {sample}")
    begin = dt.datetime.combine(LONG_AGO, dt.time(), tzinfo=dt.UTC)
    rows = wire2025.rows(League(), "match", begin, begin + DAY, NOW)
    text = sample.read_text()
    assert [key for key in rows[0] if f'"{key}"' not in text] == []
    assert f'"avaStreamId": "{rows[0]["avaStreamId"][:-1]}' in text
    assert len(parse(told_2025(rows, NOW)).matches) == len(rows)


class Watched(League):
    """A league that says which days it was asked for."""

    asked: list[dt.datetime]

    def __init__(self, settings: LeagueSettings) -> None:
        super().__init__(settings)
        self.asked = []

    def matches(self, begin: dt.datetime, end: dt.datetime) -> list[BookedMatch]:
        """As any league, noted first."""
        self.asked.append(begin)
        return super().matches(begin, end)


def command(dsn: str, home: Path, url: str, *arguments: str) -> subprocess.Popen[str]:
    """`tipoff history ...` as somebody types it."""
    environment = {
        **os.environ, "DATABASE_URL": dsn,
        "TIPOFF_OWNER_DATABASE_URL": dsn.replace("user=tipoff_app", "user=postgres"),
        "TIPOFF_HOME": str(home), "PYTHONPATH": str(ROOT), "TIPOFF_HISTORY_URL": url, "TIPOFF_SPACING": "0.05",
        "TIPOFF_H2H_2025_TOKEN": "guest",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "tipoff", "history", *arguments], env=environment, cwd=home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_the_command(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A traceback at Ctrl-C, days lost with it, or a command that says nothing of what is not learned."""
    book = Watched(LeagueSettings(epoch=dt.date(2024, 1, 1)))
    with league_server(LeagueApp(book, FixedClock(dt.datetime(2024, 8, 1, tzinfo=dt.UTC)))) as url:
        fetched = ("fetch", "--from", "2024-01-10", "--to", "2024-04-30")
        running = command(application_dsn, tmp_path, url, *fetched)
        eventually(lambda: len(book.asked) >= 2, "the second day to be asked for", 60)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert (running.returncode, "Traceback" in said) == (130, False), said
        assert "what was answered is kept" in said
        kept = all_of(pool, "select count(*), max(day) from raw_payloads")[0]
        assert 1 <= kept[0] < 112
        assert kept[1] == dt.date(2024, 4, 30)
        rest = ("fetch", "--from", "2024-04-25", "--to", "2024-04-30")
        out, said = command(application_dsn, tmp_path, url, *rest).communicate(timeout=60)
        assert "no forecast learns from them" in out, said
        out, _ = command(application_dsn, tmp_path, url, "status").communicate(timeout=60)
        assert "older results, 2024-04-" in out
        assert "to 2024-04-30" in out
        assert "not learned from" in out


def test_older_results_grade_nothing(pool: Pool) -> None:
    """A match without a result from the feed, void perhaps, that counts because the old API shows a score."""
    activate(pool)
    known, match = season()[1], season()[2][0]
    begin = match.start - 60 * MINUTE
    planned = {**wire_2026(match), "matchStatus": None, "teamAScore": None, "teamBScore": None}
    bring(pool, told_2026([planned, *(wire_2026(m) for m in known)], begin))
    with pool.connection() as connection:
        ledger.open_ledger(connection, "replay", "test", begin)
    live = bring_up_to_date(pool, begin)
    at = match.start - 2 * MINUTE
    assert append_seals(pool, live.state, knowledge_of(live, "test"), [(match, 2)], at).sealed == 1
    end = match.start + 60 * MINUTE
    bring(pool, told_2025([wire_2025(match)], end))
    assert grade_known(pool, end) == 0
    bring(pool, told_2026([wire_2026(match)], end + MINUTE))
    assert grade_known(pool, end + MINUTE) == 1
