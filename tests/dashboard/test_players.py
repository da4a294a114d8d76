"""Players as pages: who is how strong and how sure that is, found, and one of them whole."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.test_data import HOSTILE, inside, league
from tests.pages import Visitor, by_id, form, parse, with_class, words
from tests.web import WebProcess
from tipoff.pipeline.state import Live
from tipoff.web.pages.players import scale, whole
from tipoff.web.words import interval, number, percent, signed

__all__ = ["league"]
Told = tuple[Live, dict[str, Any]]


def board(page: ET.Element) -> list[str]:
    """Names of the leaderboard, in order."""
    return [words(row.find("th")) for row in by_id(page, "board-rows")]  # type: ignore[arg-type]


def test_nobody_yet(web: WebProcess) -> None:
    """A table without rows before the first result."""
    assert "No player yet" in words(by_id(Visitor(web).see("/players"), "main"))


def test_everybody_is_on_the_board_in_order(web: WebProcess, league: Told) -> None:
    """A player left out, a rank that begins anew on the second page, a strength without its interval."""
    visitor, names, ranks, address = Visitor(web), list[str](), list[str](), "/players"
    while address:
        page = visitor.see(address)
        names += board(page)
        assert len(set(names)) == len(names)
        ranks += [words(one) for one in with_class(page, "rank")]
        following = [a.get("href", "") for a in page.iter("a") if a.get("rel") == "next"]
        address = following[0] if following else ""
    listed = web.get("/api/players?limit=200").json()["items"]
    assert names == [" ".join(p["player"].split()) for p in listed]
    assert ranks == [str(i) for i in range(1, len(listed) + 1)]
    assert len(names) > 50
    rows = list(by_id(visitor.see("/players"), "board-rows"))
    for row, p in zip(rows, listed, strict=False):
        assert f"{signed(p['strength'])} {interval(p['strength_low'], p['strength_high'], signed, 1)}" in words(row)
        assert f"{percent(p['win_share'])} {percent(p['win_low'])} to {percent(p['win_high'])}" in words(row)


def test_bands_lie_on_one_scale(web: WebProcess, league: Told) -> None:
    """Two players drawn on scales of their own, a band outside the picture."""
    listed = web.get("/api/players?limit=50").json()["items"]
    low, high = scale(listed)
    for row, p in zip(by_id(Visitor(web).see("/players"), "board-rows"), listed, strict=True):
        [band] = with_class(row, "range")
        dot = band.find("b")
        assert dot is not None
        left = float(dot.get("style", "").removeprefix("left:").rstrip("%"))
        assert left == pytest.approx(100 * (p["strength"] - low) / (high - low), abs=0.051)
        assert 0 <= left <= 100


def test_a_search_finds_parts_of_names(web: WebProcess, league: Told) -> None:
    """A form that searches nothing, or numbers its finds as if they were ranks."""
    visitor = Visitor(web)
    name = web.get("/api/players?limit=1").json()["items"][0]["player"]
    fields = form(visitor.see("/players"), "/players")
    page = parse(visitor.http.get("/players", params={**fields, "search": name[1:4].lower()}).text)
    assert name in board(page)
    assert not list(with_class(page, "rank"))
    assert "No player has that in the name" in words(visitor.see("/players?search=%3Cb%3Ez"))


def test_one_player_whole(web: WebProcess, league: Told) -> None:
    """Figures of another player, a record without n and interval, a next match without its forecast."""
    name = league[1]["a"]
    detail = web.get(f"/api/players/{quote(name)}").json()
    page = Visitor(web).see(f"/players/{quote(name)}")
    career = detail["career"]
    tiles = words(by_id(page, "tiles"))
    assert f"{signed(career['strength'])}80%: {signed(career['strength_low'])}" in tiles
    assert f"{percent(career['win_share'], 1)}" in tiles
    assert f"n = {number(career['matches'])}" in tiles
    for card, rows, key in (("card-opponents", detail["by_opponent"], "opponent"),
                            ("card-teams", detail["by_team"], "team")):  # fmt: skip
        shown = [row for row in by_id(page, card).iter("tr") if row.find("td") is not None]
        assert len(shown) == len(rows) > 0
        for row, r in zip(shown, rows, strict=True):
            assert (r[key] or "not known") in words(row)
            assert f"{r['matches']} {percent(r['win_share'])} {percent(r['win_low'])} to" in " ".join(
                words(cell) for cell in row.iter("td")
            )
    coming = web.get(f"/api/upcoming-matches?player={quote(name)}").json()["items"]
    shown = list(by_id(page, "next-rows"))
    assert [row.get("id") for row in shown] == [f"m-{m['external_id']}" for m in coming]
    assert percent(coming[0]["forecast"]["p_a"]) in words(shown[0])
    last = list(by_id(page, "last-rows"))
    assert [row.get("id") for row in last] == [f"p-{m['external_id']}" for m in detail["form"]]
    [graded] = [row for row in last if row.get("id") == "p-SOON"]
    assert any(word in words(graded) for word in ("right", "wrong"))
    assert "no forecast was sealed" in words(last[-1])
    assert len(detail["history"]) > 0
    assert len(list(by_id(page, "strength-table").iter("tr"))) == len(detail["history"]) + 2


@pytest.mark.parametrize("name", [*HOSTILE[:7], HOSTILE[-1]], ids=range(8))
def test_hostile_names_have_pages(web: WebProcess, league: Told, name: str) -> None:
    """A name that leads to another page, or none."""
    page = Visitor(web).see(f"/players/{inside(name)}")
    [title] = by_id(page, "main").iter("h1")
    assert "".join(title.itertext()) == name
    assert "No forecast of this player was sealed yet" in words(page) or name == "A/B"
    linked = [a.get("href", "") for a in by_id(page, "main").iter("a")]
    assert any(link.startswith("/h2h?a=") for link in linked)


def test_nobody_of_that_name(web: WebProcess, league: Told) -> None:
    """A page of figures of nobody."""
    assert "there is no player" in words(Visitor(web).see("/players/NOBODY%20AT%20ALL", 404)).lower()


@pytest.mark.parametrize(("text", "place"), [("51", 51), ("x", 1), (None, 1), ("-3", 1), ("9" * 9, 1), ("²", 1)])
def test_a_place_in_a_list(text: str | None, place: int) -> None:
    """An address that somebody typed, and a page that fails of it."""
    assert whole(text) == place
