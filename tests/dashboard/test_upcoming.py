"""Upcoming: every cell of a row against the API's answer, every filter, zone and odds format."""

from __future__ import annotations

import datetime as dt
import itertools
import xml.etree.ElementTree as ET
import zoneinfo
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.test_data import MINUTE, everything, league
from tests.dashboard.season import go_on
from tests.pages import Visitor, by_id, form, with_class, words
from tests.web import WebProcess
from tests.wire import fixture
from tipoff.pipeline.state import Live
from tipoff.storage.pool import Pool
from tipoff.web.ask import path

__all__ = ["league"]
Row = dict[str, Any]
APART = 37 * MINUTE
"""between fixtures: fifty of them go over midnight in every zone"""
NEWCOMER = 20


@pytest.fixture(scope="module")
def ahead(web: WebProcess, kept_pool: Pool, league: tuple[Live, dict[str, Any]]) -> list[Row]:
    """All fixtures as the API lists them: more than a page of them, on two streams."""
    live, told = league
    season = go_on(kept_pool, live, (told["a"], told["b"]))
    teams, now = list(live.state.roster.teams), season.now()
    names = [name for name in live.state.roster.players if live.state.known_of(name) >= NEWCOMER]
    season.hear(*(
        fixture(
            2000 + i, now + 25 * MINUTE + i * APART, participantAName=names[i % 7],
            participantBName=names[-1 - i % 5],
            teamAName=teams[i % len(teams)], teamBName=teams[(i + 3) % len(teams)], externalId=f"NEXT {i}",
            streamName=f"Ebasketball {1 + i % 2}",
        )
        for i in range(55)
    ))  # fmt: skip
    listed = everything(web, "/api/upcoming-matches?limit=50")
    assert len(listed) == 57
    return listed


def percent(share: float) -> str:
    """A share as rows have it."""
    return f"{100 * share:.0f}%"


def shown(page: ET.Element) -> dict[str, ET.Element]:
    """The rows by external id, in order."""
    return {row.get("id", "").removeprefix("m-"): row for row in by_id(page, "rows").iter("li")}


def cell(row: ET.Element, name: str) -> str:
    """The text of a cell."""
    return words(next(with_class(row, name)))


def test_every_cell_is_the_apis(web: WebProcess, ahead: list[Row]) -> None:
    """Figures of the other side, of another match, or of none."""
    page = Visitor(web).see("/")
    found = shown(page)
    assert list(found) == [r["external_id"] for r in ahead[:50]]
    for r in ahead[:50]:
        row, f = found[r["external_id"]], r["forecast"]
        [when] = with_class(row, "when")
        assert when.get("href") == path("matches", r["external_id"])
        assert {time.get("datetime") for time in when.iter("time")} == {r["start"]}
        assert words(next(when.iter("time"))) == f"{dt.datetime.fromisoformat(r['start']):%H:%M}"
        sides = list(with_class(row, "side"))
        for letter, side in zip("ab", sides, strict=True):
            tag, mono = next(with_class(side, "tag")), next(with_class(side, "mono"))
            name, team = r[f"player_{letter}"], r[f"team_{letter}"]
            assert (words(tag), tag.get("href"), mono.get("title")) == (name, path("players", name), team)
        likelier = ["likely" in side.get("class", "") for side in sides]
        assert likelier == [f["p_a"] >= f["p_b"], f["p_b"] > f["p_a"]]
        ends = [words(one) for one in next(with_class(row, "ends")).iter("b")]
        assert ends == [percent(f["p_a"]), percent(f["p_b"])]
        [filled] = next(with_class(row, "bar")).iter("i")
        assert filled.get("style") == f"width:{100 * f['p_a']:.1f}%"
        assert cell(row, "score") == f"{f['score_a']:.0f}–{f['score_b']:.0f}"
        assert cell(row, "total") == f"{f['total_mean']:.1f}{f['total_low']:.0f}–{f['total_high']:.0f}"
        fair = {one.get("class"): words(one) for one in next(with_class(row, "fair")).iter("b")}
        assert fair == {"a": f"{f['fair_a']:.2f}", "b": f"{f['fair_b']:.2f}"}
        assert cell(row, "seal") == (f"{min(r['sealed'])} min" if r["sealed"] else "not yet")
    assert any(r["sealed"] for r in ahead)
    assert any(r["forecast"]["fair_a"] > r["forecast"]["fair_b"] for r in ahead)


def test_newcomers_are_marked(web: WebProcess, ahead: list[Row]) -> None:
    """A forecast of somebody who never played, that looks as sure as any."""
    found = shown(Visitor(web).see("/"))
    few = set()
    for r in ahead[:50]:
        known = (r["forecast"]["known_a"], r["forecast"]["known_b"])
        if min(known) < NEWCOMER:
            few.add(r["external_id"])
            assert "few results" in words(found[r["external_id"]])
            assert f"{known[0]} and {known[1]} results are known" in ET.tostring(found[r["external_id"]]).decode()
    assert "LATER/1" in few
    assert {name for name, row in found.items() if "unsure" in row.get("class", "").split()} == few
    assert {name for name, row in found.items() if "few results" in words(row)} == few


def has(r: Row, search: str) -> bool:
    """Whether a name of it has that in it."""
    names = (r["player_a"], r["player_b"], r["team_a"], r["team_b"])
    return any(search.casefold() in (name or "").casefold() for name in names)


def test_each_filter_leaves_out_what_does_not_fit(web: WebProcess, ahead: list[Row]) -> None:
    """A filter that filters nothing, or by another field."""
    player, team, stream = ahead[5]["player_b"], ahead[7]["team_a"], "Ebasketball 2"
    search = player[1:-1].lower()
    cases: list[tuple[dict[str, str], list[Row]]] = [
        ({"search": search}, [r for r in ahead if has(r, search)]),
        ({"search": team}, [r for r in ahead if has(r, team)]),
        ({"player": player}, [r for r in ahead if player in (r["player_a"], r["player_b"])]),
        ({"team": team}, [r for r in ahead if team in (r["team_a"], r["team_b"])]),
        ({"stream": stream}, [r for r in ahead if r["stream"] == stream]),
        ({"confidence": "0.60"}, [r for r in ahead if max(r["forecast"]["p_a"], r["forecast"]["p_b"]) >= 0.6]),
        ({"player": player, "stream": stream},
         [r for r in ahead if player in (r["player_a"], r["player_b"]) and r["stream"] == stream]),
    ]  # fmt: skip
    for query, fitting in cases:
        wanted = [r["external_id"] for r in fitting]
        assert 0 < len(wanted) < 50, query
        page = Visitor(web).see(f"/?{urlencode(query)}")
        assert list(shown(page)) == wanted, query
        assert words(by_id(page, "list")).startswith(f"{len(wanted)} that fit")
        assert {name: form(page, "/")[name] for name in query} == query
    page = Visitor(web).see("/?search=nobody+has+that+name")
    assert (list(shown(page)), by_id(page, "rows").get("hidden")) == ([], "")
    assert "No coming match fits" in words(by_id(page, "rows-none"))


def day(moment: dt.datetime) -> str:
    """A day as headings name it."""
    return f"{moment:%A}, {moment.day} {moment:%B}"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_times_and_days_are_of_the_viewers_zone(web: WebProcess, ahead: list[Row], zone: str) -> None:
    """Midnight of somebody else over the rows."""
    visitor = Visitor(web)
    visitor.http.cookies.set("zone", zone)
    page = visitor.see("/")
    starts = [dt.datetime.fromisoformat(r["start"]).astimezone(zoneinfo.ZoneInfo(zone)) for r in ahead[:50]]
    rows = list(shown(page).values())
    assert [words(next(row.iter("time"))) for row in rows] == [f"{start:%H:%M}" for start in starts]
    days = [day(start) for start in starts]
    first = [None, *days]
    assert [row.get("data-day") for row in rows] == [b if b != a else None for a, b in itertools.pairwise(first)]
    assert len(set(days)) >= 2
    assert page.find(".//body").get("data-zone") == zone  # type: ignore[union-attr]
    assert [words(one) for one in page.iter("span") if "data-zone-name" in one.attrib] == [zone]


@pytest.mark.parametrize("style", ["decimal", "american", "fractional"])
def test_odds_are_in_the_viewers_format(web: WebProcess, ahead: list[Row], style: str) -> None:
    """A format that is chosen and not used."""
    visitor = Visitor(web)
    page = visitor.send("/preferences", back="/", odds=style)
    pressed = [words(one) for one in page.iter("button") if one.get("aria-pressed") == "true"]
    assert pressed == [style.capitalize()]
    found = shown(page)
    for r in web.get(f"/api/ml/predictions?limit=40&odds_format={style}").json()["items"]:
        fair = [words(one) for one in next(with_class(found[r["external_id"]], "fair")).iter("b")]
        wanted = [r["forecast"][f"fair_{side}"] for side in "ab"]
        if style == "fractional":  # of the price to four digits, that may be the next fraction
            assert [float(Fraction(one)) for one in fair] == pytest.approx(
                [float(Fraction(f)) for f in wanted], rel=2e-3
            )
        else:
            assert fair == [written(odds) for odds in wanted]


def written(odds: float | int) -> str:
    """Odds of the API as pages write them."""
    return f"{odds:+d}".replace("-", "\u2212") if isinstance(odds, int) else f"{odds:.2f}"


def test_a_page_leads_to_the_next_and_back(web: WebProcess, ahead: list[Row]) -> None:
    """Matches between two pages that nobody sees; a filter that is lost on the way."""
    visitor = Visitor(web)
    page = visitor.see("/")
    assert words(by_id(page, "list")) == "Next 50 of 57"
    later = visitor.see(next(a.get("href", "") for a in page.iter("a") if a.get("rel") == "next"))
    assert [*shown(page), *shown(later)] == [r["external_id"] for r in ahead]
    pager = {words(a): a.get("href") for one in with_class(later, "pager") for a in one.iter("a")}
    assert pager == {"First": "/"}


def test_tiles_say_how_good_it_was(web: WebProcess, ahead: list[Row]) -> None:
    """A rate without n or interval; a share sealed that is always all."""
    record = web.get("/api/record").json()
    page = Visitor(web).see("/")
    tiles = {cell(tile, "name"): tile for tile in by_id(page, "tiles").iter("a")}
    measures = record["by_horizon"][str(record["main"])]["measures"]
    for name, measure in (("Called right", "hit"), ("Log loss", "log_loss"), ("Brier score", "brier")):
        e = measures[measure]
        scale, digits, unit = (100, 1, "%") if measure == "hit" else (1, 4, "")
        assert words(next(tiles[name].iter("b"))) == f"{scale * e['mean']:.{digits}f}{unit}"
        low, high = (
            "" if end is None else f"{scale * end:.{min(digits, 3)}f}{unit}" for end in (e["low"], e["high"])
        )
        ends = f"{low} to {high}" if low else "no interval yet"
        assert words(next(tiles[name].iter("small"))) == f"{ends}, n = {e['n']}"
    [covered] = [c for c in record["coverage"] if c["horizon"] == record["main"]]
    assert (covered["sealed"], covered["played"]) == (2, 3)
    assert words(next(tiles["Sealed in time"].iter("b"))) == "66.7%"
    said = "2 of 3, 2 min before; 20.8% to 93.9%"
    assert words(next(tiles["Sealed in time"].iter("small"))) == said
    bins = sum(one["n"] for one in record["bins"])
    assert f"{bins} graded forecasts" in words(by_id(page, "h-cal"))


def test_the_model_and_the_age_of_its_forecasts_are_said(web: WebProcess, ahead: list[Row]) -> None:
    """Prices of whenever."""
    told = web.get("/api/upcoming-matches?limit=50").json()
    said = by_id(Visitor(web).see("/"), "asof")
    assert f"model {told['model_version']}, forecasts as of" in words(said)
    assert [time.get("datetime") for time in said.iter("time")] == [told["as_of"]]
