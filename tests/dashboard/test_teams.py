"""Teams as pages: what a team itself is worth, and how sure that is."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.api.test_data import inside, league
from tests.integration.test_live import bring
from tests.jobs import eventually
from tests.pages import Visitor, by_id, words
from tests.web import WebProcess
from tests.wire import fixture, payload
from tipoff.pipeline.state import Live
from tipoff.storage.pool import Pool
from tipoff.web.words import interval, number, percent, signed

__all__ = ["league"]


def test_no_team_yet(web: WebProcess) -> None:
    """A table without rows."""
    assert "No team yet" in words(by_id(Visitor(web).see("/teams"), "main"))


def test_all_teams_with_their_intervals(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A team left out, a strength or a share without how sure it is."""
    listed = web.get("/api/teams?limit=50").json()["items"]
    rows = list(by_id(Visitor(web).see("/teams"), "team-rows"))
    assert [row.get("id") for row in rows] == [f"t-{quote(t['team'])}" for t in listed]
    assert len(rows) > 10
    for row, t in zip(rows, listed, strict=True):
        if t["strength"] is not None:
            assert f"{signed(t['strength'])} {interval(t['strength_low'], t['strength_high'], signed, 1)}" in words(
                row
            )
        assert f"{percent(t['win_share'])} {percent(t['win_low'])} to {percent(t['win_high'])}" in words(row)


def test_one_team_whole(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """Matches of another team; a score on the wrong side."""
    name = web.get("/api/teams?limit=1").json()["items"][0]["team"]
    team = web.get(f"/api/teams/{quote(name)}").json()
    page = Visitor(web).see(f"/teams/{quote(name)}")
    assert f"n = {number(team['record']['matches'])}" in words(by_id(page, "tiles"))
    members = [row for row in by_id(page, "card-players").iter("tr") if row.find("td") is not None]
    assert [words(row[0]) for row in members] == [p["player"] for p in team["by_player"]]
    last = [row for row in by_id(page, "card-last").iter("tr") if row.find("td") is not None]
    for row, m in zip(last, team["last"], strict=True):
        mine, other = ("a", "b") if m["team_a"] == name else ("b", "a")
        assert words(row[1]) == m[f"player_{mine}"]
        assert words(row[2]) == f"{m[f'score_{mine}']}–{m[f'score_{other}']}"


def test_hostile_teams_have_pages(web: WebProcess, league: tuple[Live, dict[str, Any]], kept_pool: Pool) -> None:
    """A team whose name is markup or a path, known from a fixture only."""
    now = league[1]["now"]
    for i, name in enumerate(("<script>alert(1)</script>\"'&", "A/B", "..")):
        made = fixture(950 + i, now.replace(microsecond=0), participantAName="ANNA", participantBName="BEN",
                       teamAName=name, teamBName="Utah Jazz", externalId=f"T{i}")  # fmt: skip
        made["startDate"] = (now.replace(year=now.year + 1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        bring(kept_pool, payload([made], now, now.date()))
        eventually(lambda: web.get(f"/api/teams/{inside(name)}").status_code == 200, "the team")  # noqa: B023
        page = Visitor(web).see(f"/teams/{inside(name)}")
        [title] = by_id(page, "main").iter("h1")
        assert name in "".join(title.itertext())
        assert "No result is known of it yet" in words(page)
    assert Visitor(web).see("/teams/Nobodies", 404) is not None
