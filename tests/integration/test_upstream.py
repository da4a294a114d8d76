"""Real HTTP on loopback: the client against the league's server, well and unwell."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import RECORDED
from tests.older import NOW, app, url
from tipoff.clock import FixedClock
from tipoff.errors import InputError, TransientUpstreamError
from tipoff.ingest.ingest import ingest_pending
from tipoff.ingest.parse import parse
from tipoff.league import schedule
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.pipeline.fetch import fetch
from tipoff.storage.pool import Pool
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners, PoliteClient
from tipoff.upstream.recorded import RecordedSource

__all__ = ["app", "url"]

TODAY = NOW.date()
DAY = dt.timedelta(days=1)


class Waits:
    """Sleeps that are noted instead of slept."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def waits() -> Waits:
    """The waits of the source."""
    return Waits()


@pytest.fixture
def source(url: str, waits: Waits) -> Iterator[H2H2026Source]:
    """The 2026 client on that league."""
    manners = Manners(spacing=0, sleep=waits, chance=lambda: 0.5, read_timeout=0.5)
    source = H2H2026Source(url, FixedClock(NOW), manners)
    yield source
    source.close()


def test_the_day_view_has_its_quirks(app: LeagueApp) -> None:
    """A server kinder than the league's, so that the client fails on the real one."""
    midnight = dt.datetime.combine(TODAY, dt.time(), tzinfo=dt.UTC)
    rows = schedule.day_view(app.book, midnight, NOW)
    starts = [dt.datetime.fromisoformat(r["startDate"]) for r in rows]
    assert starts == sorted(starts, reverse=True)
    ahead = [s for s, r in zip(starts, rows, strict=True) if r["matchStatus"] is None]
    assert all(NOW < s <= NOW + dt.timedelta(minutes=60) for s in ahead)
    assert len(ahead) >= 5
    ended = {r["externalId"] for r in rows if r["matchStatus"] is not None}
    running = [m for m in app.book.matches(midnight, NOW) if m.start <= NOW < m.ended_at]
    assert running
    assert not ended & {m.external_id for m in running}
    tomorrow = schedule.day_view(app.book, midnight + DAY, NOW)
    assert {dt.datetime.fromisoformat(r["startDate"]).hour for r in tomorrow} <= set(range(6))
    assert schedule.day_view(app.book, midnight - 90 * DAY, NOW) == []
    shifted = schedule.day_view(app.book, midnight - dt.timedelta(hours=10), NOW)
    assert {r["externalId"] for r in shifted} != {r["externalId"] for r in rows}


def test_the_rows_look_like_the_recorded_ones(app: LeagueApp) -> None:
    """A double that drifts away from the real thing."""
    sample = RECORDED / "samples" / "2026_schedule_nba_date_2026-07-31_fetched_0300Z.json"
    if not sample.exists():
        pytest.skip(f"no recorded sample at {sample}")
    real = json.loads(sample.read_text())
    ours = schedule.day_view(app.book, dt.datetime.combine(TODAY, dt.time(), tzinfo=dt.UTC), NOW)
    for status in (None, "MATCH_ENDED"):
        one = next(r for r in real if r["matchStatus"] == status)
        other = next(r for r in ours if r["matchStatus"] == status)
        assert list(one) == list(other)
        assert [type(v) for v in one.values()] == [type(v) for v in other.values()]
        assert len(one["externalId"]) == len(other["externalId"])
        assert len(one["startDate"]) == len(other["startDate"])


def test_a_result_appears_changes_and_fixtures_vanish_with_time(app: LeagueApp) -> None:
    """A clock that does not move the world."""
    book = app.book.matches(NOW - 3 * DAY, NOW)
    corrected = next(m for m in League().matches(NOW - 60 * DAY, NOW) if m.correction is not None)
    assert corrected.correction is not None
    before = schedule.row(corrected, corrected.correction.at - dt.timedelta(minutes=1))
    after = schedule.row(corrected, corrected.correction.at)
    assert before["teamAScore"] == corrected.score_a
    assert after["teamAScore"] == corrected.correction.score_a
    gone = next(m for m in book if m.withdrawn_at is not None)
    assert gone.withdrawn_at is not None
    assert schedule.upcoming(gone, gone.withdrawn_at - dt.timedelta(minutes=1))
    assert not schedule.upcoming(gone, gone.withdrawn_at)


def test_the_other_resources(url: str) -> None:
    """A route that answers nothing."""
    with httpx.Client(base_url=url) as client:
        past = client.get("/schedule/past/nba", params={"limit": 7}).json()
        assert len(past) == 7
        assert all(r["matchStatus"] is not None for r in past)
        assert 5 <= len(client.get("/schedule/upcoming/nba").json()) <= 10
        live = client.get("/live/nba").json()
        assert {r["status"] for r in live} <= {"live", "not_started"}
        assert len(live) == 6
        assert len(client.get("/participant/nba/names").json()) == 148
        assert client.get("/schedule/nba", params={"date": "soon"}).status_code == 400
        assert client.post(f"{url[:-3]}/control/faults", json={"fault": "fire"}).status_code == 400
        moved = client.post(f"{url[:-3]}/control/clock", json={"at": (NOW - DAY).isoformat()})
        assert moved.json()["now"] == (NOW - DAY).isoformat()


def test_outside_the_window_there_is_no_data(source: H2H2026Source) -> None:
    """An error, or a request, for days the league does not keep."""
    assert source.fetch_day(TODAY - 62 * DAY) == []
    assert source.fetch_day(TODAY + 2 * DAY) == []


@pytest.mark.parametrize(
    ("fault", "waited"),
    [("429", [7.5]), ("500", [0.5]), ("hang", [0.5]), ("cut_body", [0.5])],
)
def test_what_may_pass_is_tried_again(
    app: LeagueApp, source: H2H2026Source, waits: Waits, fault: str, waited: list[float]
) -> None:
    """A day lost to a passing fault, or a Retry-After that is ignored."""
    app.faults.set(fault, 1)
    answer = source.fetch_day(TODAY - DAY)[0]
    assert len(parse(answer).matches) > 200
    assert waits.waited == waited


def test_what_does_not_pass_is_an_error_after_five_attempts(
    app: LeagueApp, source: H2H2026Source, waits: Waits
) -> None:
    """Retrying for ever."""
    app.faults.set("500", 99)
    with pytest.raises(TransientUpstreamError, match=r"HTTP 500 \(5 attempts\)"):
        source.fetch_day(TODAY)
    assert waits.waited == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(("fault", "attempts"), [("hang", 2), ("429", 1)])
def test_patience_ends(app: LeagueApp, url: str, waits: Waits, fault: str, attempts: int) -> None:
    """A job whose whole time is used up by one question: it ends without a word of why, and is not tried again."""
    manners = Manners(spacing=0, sleep=waits, chance=lambda: 0.0, read_timeout=0.3, patience=0.5)
    app.faults.set(fault, 99)
    with (
        contextlib.closing(H2H2026Source(url, FixedClock(NOW), manners)) as source,
        pytest.raises(TransientUpstreamError, match=rf"\({attempts} attempts\)"),
    ):
        source.fetch_day(TODAY)
    assert waits.waited == [0.0] * (attempts - 1)


def test_nobody_there_is_transient() -> None:
    """A connection error taken for an empty day."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = PoliteClient(f"http://127.0.0.1:{port}", Manners(spacing=0, attempts=2, sleep=Waits()))
    with pytest.raises(TransientUpstreamError, match="ConnectError"):
        client.get("/", {})
    client.close()


def test_requests_keep_their_distance(url: str) -> None:
    """A client that floods the league."""
    waits, now = Waits(), [100.0]
    client = PoliteClient(url, Manners(spacing=1.2, sleep=waits, monotonic=lambda: now[0]))
    client.get("/live/nba", {})
    now[0] += 0.2
    client.get("/live/nba", {})
    client.close()
    assert waits.waited == [pytest.approx(1.0)]


def read(pool: Pool, source: H2H2026Source) -> tuple[int, int, dict[str, int]]:
    """Fetch yesterday; what was new, changed, refused."""
    report = fetch(pool, source, [TODAY - DAY], NOW)
    return report.ingest.new, report.ingest.changed, dict(report.ingest.quarantined)


def test_faulty_answers_are_kept_and_do_no_harm(pool: Pool, app: LeagueApp, source: H2H2026Source) -> None:
    """Wrong types believed, an empty day that deletes, duplicates counted twice, a change without history."""
    app.faults.set("invalid_json", 1)
    assert read(pool, source) == (0, 0, {"invalid_json": 1})
    app.faults.set("wrong_types", 1)
    new, _, refused = read(pool, source)
    assert new > 100
    assert refused["bad_score"] > 100
    app.faults.set("duplicate_rows", 1)
    rest, changed, refused = read(pool, source)
    assert rest > 100
    assert (changed, refused) == (0, {})
    app.faults.set("empty_day", 1)
    assert read(pool, source) == (0, 0, {})
    app.faults.set("changed_results", 1)
    assert read(pool, source)[1] > 200
    with pool.connection() as connection:
        counted = connection.execute("select count(*), sum(revision) from matches").fetchone()
        logged = connection.execute("select count(*) from match_arrivals").fetchone()
    assert counted is not None
    assert logged is not None
    assert counted[0] == new + rest
    assert counted[1] == logged[0]


def test_a_fetch_that_dies_halfway_resumes(pool: Pool, app: LeagueApp, source: H2H2026Source) -> None:
    """Days lost, or results doubled, after a crash."""
    days = [TODAY - i * DAY for i in range(8, 1, -1)]

    def die(share: float, _message: str) -> None:
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(pool, source, days, NOW, die)
    again = fetch(pool, source, days, NOW)
    assert again.settled + again.asked == 7
    assert again.settled >= 3
    ingest_pending(pool, NOW)
    begin = dt.datetime.combine(days[0], dt.time(), tzinfo=dt.UTC)
    played = [m for m in app.book.matches(begin, begin + 7 * DAY) if schedule.over(m, NOW)]
    with pool.connection() as connection:
        counted = connection.execute("select count(*) from matches").fetchone()
    assert counted == (len(played),)


def test_recorded_files(tmp_path: Path) -> None:
    """A folder of the wrong kind that looks like a league without matches."""
    with pytest.raises(InputError, match="not a folder"):
        RecordedSource(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no file"):
        RecordedSource(tmp_path)
    (tmp_path / "2026-07-01.json").write_bytes(b"[ ]")
    assert RecordedSource(tmp_path).fetch_day(dt.date(2026, 7, 1))[0].body == b"[ ]"
    assert RecordedSource(tmp_path).fetch_day(dt.date(2026, 7, 2)) == []
    (tmp_path / "july.json").write_text("[]")
    with pytest.raises(InputError, match=r"july\.json is not named"):
        RecordedSource(tmp_path)
