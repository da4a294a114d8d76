"""The 2025 dialect and its guest token."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from tests.conftest import RECORDED
from tipoff.clock import FixedClock
from tipoff.domain.match import Match
from tipoff.domain.payload import RawPayload
from tipoff.errors import InputError, TerminalUpstreamError
from tipoff.ingest.parse import parse
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.pipeline.fetch import fetch
from tipoff.storage.pool import Pool
from tipoff.upstream.h2h2025 import H2H2025Source
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners
from tipoff.upstream.token import TokenProvider

NOW = dt.datetime(2026, 7, 10, 14, 1, tzinfo=dt.UTC)
TODAY = NOW.date()
DAY = dt.timedelta(days=1)
STALE = "stale-secret-4711"


@pytest.fixture
def url() -> Iterator[str]:
    """A league that wants the token "guest"."""
    with league_server(LeagueApp(League(), FixedClock(NOW))) as base_url:
        yield base_url


def source_with(url: str, tokens: TokenProvider) -> H2H2025Source:
    """The 2025 client without waiting."""
    return H2H2025Source(url, tokens, FixedClock(NOW), Manners(spacing=0))


def prints(tmp_path: Path, token: str) -> str:
    """A command that prints a token and counts how often it was asked."""
    script = tmp_path / "token.py"
    script.write_text(f"open({str(tmp_path / 'asked')!r}, 'a').write('x')\nprint({token!r})\n")
    return f"{sys.executable} {script}"


def test_both_dialects_tell_the_same(url: str) -> None:
    """Sides swapped, or days shifted, between the two APIs."""
    one = H2H2026Source(url, FixedClock(NOW), Manners(spacing=0))
    other = source_with(url, TokenProvider(SecretStr("guest"), None))
    day = TODAY - DAY
    new = {m.external_id: m for m in parse(one.fetch_day(day)[0]).matches}
    old = {m.external_id: m for m in parse(other.fetch_day(day)[0]).matches}
    ended = {key: m for key, m in new.items() if m.status == "final"}
    assert len(ended) > 200
    assert {key: m for key, m in old.items() if key in ended} == ended
    kinds = [p.resource for p in other.fetch_day(TODAY)]
    assert kinds == ["match", "fixture"]
    assert other.fetch_day(dt.date(2023, 8, 8)) == []
    one.close()
    other.close()


def test_a_stale_token_is_refreshed_once(url: str, tmp_path: Path, pool: Pool) -> None:
    """A refresh for every request, or none; a token in the raw archive."""
    source = source_with(url, TokenProvider(SecretStr(STALE), prints(tmp_path, "guest")))
    report = fetch(pool, source, [TODAY - DAY, TODAY], NOW)
    source.close()
    assert report.ingest.new > 300
    assert report.ingest.fixtures > 50
    assert (tmp_path / "asked").read_text() == "x"
    with pool.connection() as connection:
        kept = connection.execute("select source, resource from raw_payloads").fetchall()
    assert "secret" not in str(kept)


def test_a_refused_fresh_token_ends_it(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A loop of refreshes, or a token that an error or a log gives away."""
    caplog.set_level("DEBUG")
    tokens = TokenProvider(SecretStr(STALE), prints(tmp_path, "another-secret-4712"))
    source = source_with(url, tokens)
    with pytest.raises(TerminalUpstreamError, match="HTTP 401") as caught:
        source.fetch_day(TODAY - DAY)
    source.close()
    assert (tmp_path / "asked").read_text() == "x"
    said = f"{caught.value!r} {tokens!r} {caplog.text} {capfd.readouterr()}"
    assert "4711" not in said
    assert "4712" not in said


@pytest.mark.parametrize("command", ["/nowhere/token", "false", f"{sys.executable} -c 'print(1, 2)'", "'"])
def test_a_command_that_gives_no_token_is_named(command: str) -> None:
    """An empty token sent again and again."""
    with pytest.raises(TerminalUpstreamError, match="token command"):
        TokenProvider(None, command).current()


def test_no_token_at_all_says_what_to_set() -> None:
    """A 401 instead of advice."""
    with pytest.raises(InputError, match="TIPOFF_H2H_2025_TOKEN"):
        TokenProvider(None, None)


def test_a_recorded_fixture_page_of_the_real_api() -> None:
    """A dialect that only our own server speaks."""
    sample = RECORDED / "samples" / "2025_schedule_type_fixture_20250426.json"
    if not sample.exists():
        pytest.skip(f"no recorded sample at {sample}")
    body = sample.read_bytes()
    parsed = parse(RawPayload("h2h-2025", "h2h-2025", "fixture", dt.date(2025, 4, 26), NOW, body))
    assert len(parsed.fixtures) == len({r["fixtureExternalId"] for r in json.loads(body)})
    assert not parsed.rejected
    assert not any(isinstance(f, Match) for f in parsed.fixtures)


def test_careers_and_head_to_head_are_truthful(url: str) -> None:
    """Aggregates that do not add up."""
    with httpx.Client(base_url=url) as client:
        everybody = client.get("/participant/nba").json()
        one = max(everybody, key=lambda c: int(c["matchesPlayed"]))
        assert one == client.get("/participant/nba/stats", params={"participant": one["participantName"]}).json()
        assert sum(c["pointDifference"] for c in everybody) == 0
        assert sum(c["matchesWon"] for c in everybody) == sum(c["matchesLost"] for c in everybody)
        past = client.get("/schedule/past/nba", params={"limit": 1}).json()[0]
        names = past["participantAName"], past["participantBName"]
        seen = [
            client.get("/h2h/nba/participants", params={"participant_a": a, "participant_b": b}).json()["h2H"]
            for a, b in (names, names[::-1])
        ]
        assert seen[0]
        assert seen[0] == [{"w": "l", "l": "w"}[letter] for letter in seen[1]]
        by_match = client.get("/h2h/nba", params={"external_id": past["externalId"]}).json()
        assert by_match["h2H"] == seen[0]
        assert by_match["matchDetails"]["teamAName"] == past["teamAName"]
        assert client.get("/h2h/nba", params={"external_id": "NB000000000"}).status_code == 404
        assert seen[0][0] == ("w" if past["teamAScore"] > past["teamBScore"] else "l")
        assert client.get("/participant/nba/stats", params={"participant": "NOBODY"}).status_code == 404
