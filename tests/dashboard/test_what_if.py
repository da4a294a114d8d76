"""A match that is only thought of: the form without JavaScript, what it says back, and what it refuses."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.test_data import HOSTILE, league
from tests.pages import Visitor, by_id, form, parse, words
from tests.web import MASTER, WebProcess
from tipoff.pipeline.state import Live
from tipoff.web.words import number, percent

__all__ = ["league"]
Told = tuple[Live, dict[str, Any]]


def fill(visitor: Visitor, **fields: str) -> ET.Element:
    """The form, filled and sent as a browser without JavaScript does."""
    empty = form(visitor.see("/h2h"), "/h2h", "a")
    return parse(visitor.http.get("/h2h", params={**empty, **fields}).text)


def test_before_the_first_model(web: WebProcess) -> None:
    """A page that fails where there is nothing to forecast with."""
    visitor = Visitor(web)
    assert "Name two players" in words(by_id(visitor.see("/h2h"), "answer"))
    page = visitor.see("/h2h?a=ANNA&b=BEN")
    assert "No forecast." in words(by_id(page, "answer"))


@pytest.mark.parametrize(
    ("market", "line"), [("winner", ""), ("total", ""), ("total", "100.5"), ("spread", "-3"), ("team_total_a", "50")]
)
def test_the_form_answers_what_the_api_answers(web: WebProcess, league: Told, market: str, line: str) -> None:
    """A forecast of the other side, a line that is ignored, a market that is another one."""
    a, b = league[1]["a"], league[1]["b"]
    page = fill(Visitor(web), a=a.lower(), b=b, team_a="Harbor Herons", market=market, line=line)
    match = {"player_a": a, "player_b": b, "team_a": "Harbor Herons", "market": market}
    body = {"matches": [match | ({"line": float(line)} if line else {})]}
    [said] = web.post("/api/ml/what-if", key=None, json=body).json()["items"]
    text = words(by_id(page, "answer"))
    f, m = said["forecast"], said["market"]
    for figure in (percent(f["p_a"], 1), percent(f["p_b"], 1), number(f["score_a"], 1), number(f["total_mean"], 1),
                   percent(m["over"], 1), percent(m["under"], 1), f"fair {number(m['fair_over'], 2)}"):  # fmt: skip
        assert figure in text, figure
    rows = [row for row in by_id(page, "why-table").iter("tr") if row.find("td") is not None]
    assert [words(row[0]) for row in rows] == [part["name"].replace("_", " ") for part in said["why"]]
    kept = form(page, "/h2h", "a")
    assert (kept["a"], kept["b"], kept["team_a"], kept["market"], kept["line"]) == (
        a,
        b,
        "Harbor Herons",
        market,
        line,
    )


def test_meetings_are_those_of_the_two(web: WebProcess, league: Told) -> None:
    """Results of others; a score on the wrong side."""
    m = web.get("/api/matches?status=final&limit=1&to=2100-01-01T00:00:00Z").json()["items"][0]
    a, b = m["player_b"], m["player_a"]
    page = fill(Visitor(web), a=a, b=b)
    met = web.get(f"/api/h2h/{a}/{b}").json()
    text = words(by_id(page, "meetings"))
    assert f"{a} won {met['wins_a']} of {met['matches']}" in text
    assert f"interval {percent(met['win_low'])} to {percent(met['win_high'])}" in text
    rows = [row for row in by_id(page, "meetings").iter("tr") if row.find("td") is not None]
    for row, x in zip(rows, met["last"], strict=True):
        mine = "a" if x["player_a"] == a else "b"
        assert words(row[1]).startswith(str(x[f"score_{mine}"]))


def test_a_name_typed_wrong_is_asked_back_beside_its_field(web: WebProcess, league: Told) -> None:
    """A newcomer invented out of a typo; a message far from the field, or a page that is an error."""
    a, b = league[1]["a"], league[1]["b"]
    page = fill(Visitor(web), a=a, b=b + "X")
    said = words(by_id(page, "e-b"))
    assert said.startswith("Nothing is known of that name; did you mean")
    assert b in said
    assert "newcomers: true" not in said
    assert words(by_id(page, "e-a")) == ""
    assert by_id(page, "f-b").get("aria-invalid") == "true"
    page = fill(Visitor(web), a=a, b=b + "X", newcomers="1")
    assert "only 0 results" in words(by_id(page, "answer"))
    assert "They have not met" in words(by_id(page, "meetings"))


@pytest.mark.parametrize(
    ("fields", "place", "said"),
    [
        ({"market": "total", "line": "many"}, "e-line", "whole or half"),
        ({"market": "total", "line": "100.3"}, "e-line", "0.5"),
        ({"market": "total", "line": "nan"}, "e-line", ""),
        ({"market": "total", "line": "9000"}, "e-line", "500"),
        ({"team_a": "Nowhere"}, "e-team_a", "Nothing is known of that name"),
        ({"same": "yes"}, "answer", "two different players"),
        ({"market": "weather"}, "answer", "Winner"),
    ],
)  # fmt: skip
def test_what_cannot_be_forecast_is_said(
    web: WebProcess, league: Told, fields: dict[str, str], place: str, said: str
) -> None:
    """A wrong field that is ignored, or an error without a form to correct it in."""
    a = league[1]["a"]
    b = a if fields.pop("same", "") else league[1]["b"]
    page = fill(Visitor(web), a=a, b=b, **fields)
    text = words(by_id(page, place))
    assert text
    assert said in text
    assert form(page, "/h2h", "a")["a"] == a


def test_odds_come_in_the_format_that_was_chosen(web: WebProcess, league: Told) -> None:
    """Fractional odds beside decimal ones."""
    visitor = Visitor(web)
    visitor.send("/preferences", odds="american", back="/about")
    text = words(by_id(fill(visitor, a=league[1]["a"], b=league[1]["b"]), "answer"))
    assert "fair +" in text
    assert "fair −" in text


def test_who_beats_whom_and_who_may_ask(web: WebProcess, league: Told) -> None:
    """A matrix that is not what the players' pages say; a form that fails for those who are signed in."""
    page = Visitor(web).see("/h2h")
    first = web.get("/api/upcoming-matches?limit=1").json()["items"][0]["player_a"]
    opponents = web.get(f"/api/players/{first.replace('/', '%2F')}").json()["by_opponent"][:7]
    rows = [[words(cell) for cell in row] for row in by_id(page, "pairs-table").iter("tr")]
    for o in opponents:
        assert [first, o["opponent"], percent(o["win_share"])] == next(
            row[:3] for row in rows if row[:2] == [first, o["opponent"]]
        )
    assert "Expected score" in words(fill(Visitor(web, MASTER), a=league[1]["a"], b=league[1]["b"]))


def test_hostile_names_are_text(web: WebProcess, league: Told) -> None:
    """Names that nobody has are repeated in the form, the title and the message."""
    for name in HOSTILE[:9]:
        page = Visitor(web).see(f"/h2h?{urlencode({'a': name, 'b': name + 'Z', 'newcomers': '1'})}")
        assert name in "".join(page.find(".//title").itertext())  # type: ignore[union-attr]
        assert not [one for one in page.iter("script") if one.text]
