"""One match before, in play and after it: every figure against the API's answer."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.api.test_data import everything, league
from tests.dashboard.season import Season, go_on
from tests.pages import Visitor, by_id, form, with_class, words
from tests.web import WebProcess
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.markets import price
from tipoff.pipeline.state import Live
from tipoff.storage.pool import Pool

__all__ = ["league"]
Told = dict[str, Any]
AHEAD = "MUCH LATER"
MARKETS = ("total", "spread", "team_total_a", "team_total_b")
MINUS = "\u2212"


@pytest.fixture(scope="module")
def season(web: WebProcess, kept_pool: Pool, league: tuple[Live, Told]) -> Season:
    """A match of each kind."""
    live, told = league
    return go_on(kept_pool, live, (told["a"], told["b"]))


def see(web: WebProcess, external_id: str, **query: str) -> ET.Element:
    """The page of a match."""
    return Visitor(web).see(f"/matches/{quote(external_id, safe='')}?{urlencode(query)}")


def api(web: WebProcess, external_id: str, what: str = "matches") -> Told:
    """What the API says of it."""
    answer = web.get(f"/api/{what}/{quote(external_id, safe='')}")
    assert answer.status_code == 200, answer.text
    found: Told = answer.json()
    return found


def facts(element: ET.Element) -> dict[str, str]:
    """Its names and values."""
    return {words(one[0]): words(one[1]) for one in element.iter("div") if [c.tag for c in one] == ["dt", "dd"]}


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign and a true minus."""
    text = f"{value:+.{digits}f}".replace("-", MINUS)
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def percent(share: float, digits: int = 1) -> str:
    """A share."""
    return f"{100 * share:.{digits}f}%"


def fair(share: float) -> str:
    """The price of a share: rounded as the API does first."""
    return f"{round(1 / share, 4):.2f}"


def dist(said: Told) -> ScoreDistribution:
    """The distribution of a forecast or of a seal."""
    return ScoreDistribution(said["margin_mean"], said["margin_sd"], said["total_mean"], said["total_sd"])


def section(page: ET.Element, heading: str) -> ET.Element:
    """The card under that heading."""
    [found] = [one for one in page.iter("section") if one.get("aria-labelledby") == heading]
    return found


def hero(page: ET.Element) -> list[str]:
    """Both chances."""
    return [words(one) for one in next(with_class(page, "hero")).iter("b")]


def test_before_it_the_forecast_is_the_apis(web: WebProcess, season: Season) -> None:
    """Figures of the other side, or of another moment."""
    for name in (AHEAD, "LATER/1"):
        told, page = api(web, name), see(web, name)
        f, versus = told["forecast"], by_id(page, "versus")
        assert hero(page) == [percent(f["p_a"]), percent(f["p_b"])]
        assert next(with_class(versus, "bar"))[0].get("style") == f"width:{100 * f['p_a']:.1f}%"
        assert [words(one) for one in with_class(versus, "tag")] == [told["player_a"], told["player_b"]]
        assert "Starts in" in words(versus)
        assert not list(with_class(versus, "final"))
        assert told["start"] in {one.get("datetime") for one in versus.iter("time")}
        found = facts(versus)
        assert found["Expected score"] == f"{f['score_a']:.1f} – {f['score_b']:.1f}"
        assert found["Margin"] == f"{signed(f['margin_mean'])} ± {f['margin_sd']:.1f}"
        assert (
            found["Total, 80% of results"] == f"{f['total_mean']:.1f} {f['total_low']:.0f} to {f['total_high']:.0f}"
        )
        assert found["Fair odds"] == f"{f['fair_a']:.2f} / {f['fair_b']:.2f}"
        assert told["as_of"] in {one.get("datetime") for one in versus.iter("time")}
        for caution in api(web, name, "ml/predictions")["cautions"]:
            assert caution in words(versus)
    assert api(web, "LATER/1", "ml/predictions")["cautions"]


def test_it_says_how_sure_the_chance_itself_is(web: WebProcess, season: Season) -> None:
    """A bracket of another match, or of one that has begun."""
    for name in (AHEAD, "LATER/1"):
        sure, page = api(web, name, "ml/predictions")["certainty"], see(web, name)
        [bracket] = with_class(next(with_class(page, "hero")), "bracket")
        left, width = 100 * sure["low"], 100 * (sure["high"] - sure["low"])
        assert bracket[0].get("style") == f"left:{left:.1f}%;width:{width:.1f}%"
        assert sure["words"] in words(by_id(page, "versus"))
        assert sure["low"] < api(web, name)["forecast"]["p_a"] < sure["high"]
    assert api(web, "PLAYING", "ml/predictions")["certainty"] is None
    assert not list(with_class(see(web, "PLAYING"), "bracket"))
    listed = everything(web, "/api/ml/predictions?limit=200")
    assert [one["certainty"] for one in listed if one["external_id"] == AHEAD] == [
        api(web, AHEAD, "ml/predictions")["certainty"]
    ]


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("off", [-4.0, -0.5, 0.0, 3.5])
def test_any_line_is_priced_as_the_api_prices_it(web: WebProcess, season: Season, market: str, off: float) -> None:
    """Under with over's chance, a spread of the other side, a push that is kept by the house."""
    f = api(web, AHEAD)["forecast"]
    middle = {"total": f["total_mean"], "spread": -f["margin_mean"], "team_total_a": f["score_a"],
              "team_total_b": f["score_b"]}[market]  # fmt: skip
    line = round(middle) + off
    query = urlencode({"market": market, "line": line, "limit": 200})
    [wanted] = [one["market"] for one in web.get(f"/api/ml/predictions?{query}").json()["items"]
                if one["external_id"] == AHEAD]  # fmt: skip
    page = see(web, AHEAD, market=market, line=str(line))
    assert {name: form(page, "/matches/MUCH%20LATER")[name] for name in ("market", "line")} == {
        "market": market, "line": str(line)
    }  # fmt: skip
    a, b = api(web, AHEAD)["player_a"], api(web, AHEAD)["player_b"]
    over, under = f"Over {line:.1f}", f"Under {line:.1f}"
    if market == "spread":
        over, under = f"{a} {signed(line)}", f"{b} {signed(-line)}"
    found = facts(by_id(page, "priced"))
    assert found.pop(over) == f"{percent(wanted['over'])} fair {wanted['fair_over']:.2f}"
    assert found.pop(under) == f"{percent(wanted['under'])} fair {wanted['fair_under']:.2f}"
    whole = line == round(line) and wanted["push"] > 0
    assert found == ({"Exactly (stake back)": percent(wanted["push"])} if whole else {})
    assert wanted["over"] + wanted["push"] + wanted["under"] == pytest.approx(1, abs=1e-5)
    curve = by_id(page, "curve-box")
    [mark] = with_class(curve, "tick-mark")
    assert float(mark.get("data-x", "nan")) == (-line if market == "spread" else line)
    ends = [words(next(with_class(curve, name))) for name in ("end-b", "end-a")]
    named = (f"{b} covers", f"{a} covers") if market == "spread" else ("under", "over")
    assert ends == [f"{named[0]} {percent(wanted['under'], 0)}", f"{named[1]} {percent(wanted['over'], 0)}"]


def test_whole_lines_give_the_stake_back(web: WebProcess, season: Season) -> None:
    """A push that no test ever sees."""
    f = api(web, AHEAD)["forecast"]
    page = see(web, AHEAD, market="total", line=str(round(f["total_mean"])))
    found = price(dist(f), "total", round(f["total_mean"]))
    assert found.push > 0.01
    assert facts(by_id(page, "priced"))["Exactly (stake back)"] == percent(found.push)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"line": "3.3"}, "A line is a whole or half number"), ({"line": "501"}, "A line is a whole or half number"),
        ({"line": "nan"}, "A line is a whole or half number"), ({"line": "x"}, "A line is a whole or half number"),
        ({"market": "goals"}, "There is no such market"),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_refused_in_words(
    web: WebProcess, season: Season, query: dict[str, str], said: str
) -> None:
    """The price of another line, without a word."""
    assert said in words(by_id(see(web, AHEAD, **query), "priced"))


Rung = tuple[float, float, float, float, float]


def ladder(page: ET.Element, market: str) -> list[Rung]:
    """The rows of a market's lines: the line, over in per cent and its price, under and its price."""
    [body] = by_id(page, f"ladder-{market}").iter("tbody")
    rows = [[words(one) for one in row] for row in body]
    if market == "spread":
        assert [row[0] for row in rows] == [signed(number(row[0])) for row in rows]
    return [(number(a), number(b), number(c), number(d), number(e)) for a, b, c, d, e in rows]


def number(text: str) -> float:
    """A number of a page."""
    return float(text.replace(MINUS, "-").rstrip("%"))


def same(rows: list[Rung], d: ScoreDistribution, market: str) -> None:
    """Each row is what the distribution says, as exactly as it is written."""
    for line, over, fair_over, under, fair_under in rows:
        at = price(d, market, line)
        assert (over, under) == pytest.approx((100 * at.over, 100 * at.under), abs=0.051)
        assert (fair_over, fair_under) == pytest.approx((at.fair_over, at.fair_under), abs=0.0051)


def test_markets_are_the_apis_before_it(web: WebProcess, season: Season) -> None:
    """A table of lines with its columns changed over."""
    page, told = see(web, AHEAD), api(web, AHEAD, "ml/predictions")
    for market in MARKETS:
        lines = [m["line"] for m in told["markets"] if m["market"] == market and m["line"] % 1 == 0.5]
        assert len(lines) == 13
        rows = ladder(page, market)
        assert [row[0] for row in rows] == lines
        same(rows, dist(told["forecast"]), market)
    [body] = by_id(page, "exact").iter("tbody")
    exact = [[words(one) for one in row] for row in body]
    assert exact == [[str(s["a"]), str(s["b"]), percent(s["probability"], 2)] for s in told["exact_scores"][:12]]
    assert told["as_of"] in {one.get("datetime") for one in section(page, "h-markets").iter("time")}


def test_why_says_what_the_api_says(web: WebProcess, season: Season) -> None:
    """Reasons of nobody."""
    [body] = by_id(see(web, AHEAD), "why-table").iter("tbody")
    rows = [[words(one) for one in row] for row in body]
    parts = api(web, AHEAD, "ml/predictions")["why"]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        (part["name"].replace("_", " "), signed(part["margin"]), part["words"]) for part in parts
    ]
    assert parts


@pytest.mark.parametrize(("name", "words_of_it"), [("PLAYING", "In play"), ("SOON", "won"), ("WRONG", "won")])
def test_once_begun_what_was_sealed_counts(web: WebProcess, season: Season, name: str, words_of_it: str) -> None:
    """The champion's forecast of now for a match that has begun; prices and reasons that nobody sealed."""
    told, page = api(web, name), see(web, name)
    seal, versus = told["seals"][-1], by_id(page, "versus")
    assert told["forecast"] is None
    assert hero(page) == [percent(seal["p_a"]), percent(1 - seal["p_a"])]
    assert words_of_it in words(versus)
    assert "this is what was sealed before it" in words(versus)
    found, d = facts(versus), dist(seal)
    assert found["Expected score"] == f"{d.mean_a:.1f} – {d.mean_b:.1f}"
    assert found["Fair odds"] == f"{fair(seal['p_a'])} / {fair(1 - seal['p_a'])}"
    assert seal["sealed_at"] in {one.get("datetime") for one in versus.iter("time")}
    for market in MARKETS:
        rows = ladder(page, market)
        lines = [row[0] for row in rows]
        assert [b - a for a, b in itertools.pairwise(lines)] == [1.0] * 12
        at = price(d, market, lines[6])
        assert abs(at.over - at.under) < 0.06
        same(rows, d, market)
    assert "as sealed" in words(by_id(page, "h-markets"))
    assert "Reasons are not sealed" in words(section(page, "h-why"))
    at = price(d, "spread", -2.5)
    found = facts(by_id(see(web, name, market="spread", line="-2.5"), "priced"))
    assert found[f"{told['player_a']} {MINUS}2.5"] == f"{percent(at.over)} fair {round(at.fair_over, 4):.2f}"
    assert found[f"{told['player_b']} +2.5"] == f"{percent(at.under)} fair {round(at.fair_under, 4):.2f}"


def test_what_was_not_sealed_has_no_price(web: WebProcess, season: Season) -> None:
    """A forecast made after the fact."""
    page = see(web, "UNSEALED")
    assert "Nothing was sealed of this match" in words(by_id(page, "versus"))
    assert "Nothing was sealed before this match began" in words(by_id(page, "proof"))
    headings = {one.get("id") for one in page.iter("h2")}
    assert headings.isdisjoint({"h-line", "h-score", "h-why", "h-markets"})
    assert list(with_class(page, "hero")) == []


@pytest.mark.parametrize(("name", "right"), [("RIGHT", True), ("WRONG", False), ("SOON", None), ("LATER/1", None)])
def test_seals_are_shown_with_their_proof_and_grade(
    web: WebProcess, season: Season, name: str, right: bool | None
) -> None:
    """Everything called right; a hash of another row."""
    told, proof = api(web, name), by_id(see(web, name), "proof")
    cards = list(with_class(proof, "sealed"))
    for seal, card in zip(told["seals"], cards, strict=True):
        said = words(card)
        assert f"{seal['horizon']} minutes before: {told['player_a']} {percent(seal['p_a'])}" in said
        assert f"total {seal['total_mean']:.1f}" in said
        sealed_at = dt.datetime.fromisoformat(seal["sealed_at"])
        assert f"sealed {sealed_at:%Y-%m-%d %H:%M:%S} UTC as row {seal['row']} of the ledger" in said
        assert [words(one) for one in card.iter("code")] == [seal["hash"]]
        if seal["grade"] is None:
            assert "Not graded yet" in said
            continue
        scores = seal["grade"]["scores"]
        p_winner = seal["p_a"] if told["score_a"] > told["score_b"] else 1 - seal["p_a"]
        [pill] = with_class(card, "pill")
        assert words(pill) == ("called right" if p_winner > 0.5 else "called wrong")
        assert right is None or (p_winner > 0.5) is right
        assert f"log loss {-math.log(p_winner):.3f}, Brier {(1 - p_winner) ** 2:.3f}" in said
        off = scores["total_error"]
        assert abs(off) == pytest.approx(abs(told["score_a"] + told["score_b"] - seal["total_mean"]), abs=1e-6)
        assert f"total off by {off:.1f} points (row {seal['grade']['row']})" in said
    assert len(cards) == 1


def test_the_result_and_its_corrections_are_shown(web: WebProcess, season: Season) -> None:
    """A score that was changed without a word."""
    told, page = api(web, "WRONG"), see(web, "WRONG")
    assert [words(one) for one in with_class(by_id(page, "versus"), "final")] == [
        str(told["score_a"]), str(told["score_b"])
    ]  # fmt: skip
    winner = told["player_a"] if told["score_a"] > told["score_b"] else told["player_b"]
    assert f"{winner} won" in words(by_id(page, "versus"))
    proof = by_id(page, "proof")
    assert "The result was corrected" in words(proof)
    rows = [[words(one) for one in row] for body in proof.iter("tbody") for row in body]
    assert [row[1:] for row in rows] == [[h["status"], f"{h['score_a']} – {h['score_b']}"] for h in told["history"]]
    assert len({row[2] for row in rows}) == 2
    played = told["score_a"] + told["score_b"]
    [mark] = with_class(by_id(page, "curve-box"), "outcome")
    assert float(mark.get("data-x", "nan")) == played
    assert "The result was corrected" not in words(by_id(see(web, "RIGHT"), "proof"))


def test_form_is_of_before_the_match(web: WebProcess, season: Season) -> None:
    """Form that knows what came after."""
    everyone = everything(web, "/api/matches?status=final&limit=200")
    for m in (everyone[len(everyone) // 2], api(web, AHEAD)):
        lines = list(with_class(see(web, m["external_id"]), "formline"))
        for letter, line in zip("ab", lines, strict=True):
            name = m[f"player_{letter}"]
            assert words(line[0]) == name
            mine = [
                one for one in everyone if name in (one["player_a"], one["player_b"]) and one["start"] < m["start"]
            ]
            titles = [one.get("title", "") for one in with_class(line, "pill")]
            assert titles == [pill(name, one) for one in mine[:20]]
            career = api(web, name, "players")["career"]
            assert f"{career['wins']} of {career['matches']} won ({percent(career['win_share'], 0)}" in words(line)
    later = [one for one in everyone if one["start"] > everyone[len(everyone) // 2]["start"]]
    assert len(later) > 100


def pill(name: str, m: Told) -> str:
    """What the mark of that match says."""
    a, b = m["score_a"], m["score_b"]
    own, other, against = (a, b, m["player_b"]) if m["player_a"] == name else (b, a, m["player_a"])
    at = dt.datetime.fromisoformat(m["start"])
    said = "won" if own > other else "lost"
    return f"{said} {own}–{other} against {against}, {at.day} {at:%b %Y %H:%M} UTC"


def test_head_to_head_is_the_apis(web: WebProcess, season: Season) -> None:
    """Wins of the other side, a rate without n, meetings with their scores turned round."""
    m = api(web, AHEAD)
    card = section(see(web, AHEAD), "h-h2h")
    told = web.get(f"/api/h2h/{quote(m['player_a'])}/{quote(m['player_b'])}").json()
    said = words(card)
    assert f"{m['player_a']} won {told['wins_a']} of {told['matches']} ({percent(told['win_share'], 0)}" in said
    assert f"95% interval {percent(told['win_low'], 0)} to {percent(told['win_high'], 0)}" in said
    assert f"by {signed(told['mean_margin'])} points a match" in said
    rows = [[words(cell).split()[0] for cell in row[1:]] for body in card.iter("tbody") for row in body]
    meetings = [
        (one["score_a"], one["score_b"]) if one["player_a"] == m["player_a"] else (one["score_b"], one["score_a"])
        for one in told["last"][:8]
    ]
    assert rows == [[str(own), str(other)] for own, other in meetings]
    assert meetings
