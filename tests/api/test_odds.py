"""Posted prices over HTTP and on pages: the list, and edge against a forecast only while a price is fresh."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.test_data import league
from tests.pages import Visitor, by_id, words
from tests.web import WebProcess
from tipoff.domain.quote import Quote
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.markets import price
from tipoff.forecast.odds import shin
from tipoff.pipeline.state import Live
from tipoff.storage import quotes
from tipoff.storage.pool import Pool
from tipoff.web.posted import sided

__all__ = ["league"]
MINUTE = dt.timedelta(minutes=1)
AHEAD = "MUCH LATER"


@pytest.fixture(scope="module")
def posted(kept_pool: Pool, league: tuple[Live, dict[str, Any]]) -> dict[str, Quote]:
    """Of a match that comes: fresh ones, an older one, a quarter's total, one that was imported two hours before it
    says it was posted; of one that is over: before and in play."""
    with kept_pool.connection() as connection:
        [(now,)] = connection.execute("select clock_timestamp()").fetchall()
        [(over, start)] = connection.execute(
            "select external_id, start_at from matches where status = 'final' order by start_at limit 1"
        ).fetchall()
        made = {
            "total": Quote(AHEAD, "Book", "total", 109.5, 1.9, 1.8, now - 2 * MINUTE),
            "before": Quote(AHEAD, "Book", "total", 104.5, 1.7, 2.0, now - 6 * MINUTE),
            "spread": Quote(AHEAD, "Book", "spread", -2.0, 2.1, 1.7, now - MINUTE),
            "winner": Quote(AHEAD, "Other", "winner", None, 2.5, 1.5, now - 3 * MINUTE),
            "quarter": Quote(AHEAD, "Quarter", "total", 27.5, 1.9, 1.9, now - MINUTE),
            "quarters": Quote(AHEAD, "Asian", "total", 109.25, 1.9, 1.9, now - MINUTE / 2),
            "endless": Quote(AHEAD, "Broken", "winner", None, 2.0, float("inf"), now - MINUTE / 3),
            "zoned": Quote(AHEAD, "Zone", "winner", None, 2.5, 1.5, now - MINUTE / 4),
            "stale": Quote(AHEAD, "Slow", "winner", None, 2.5, 1.5, now - 16 * MINUTE),
            "early": Quote(over, "Book", "total", 100.5, 1.9, 1.9, start - MINUTE),
            "playing": Quote(over, "Book", "total", 130.5, 1.9, 1.9, start),
        }  # fmt: skip
        assert quotes.keep(connection, made.values()) == (11, [])
        connection.execute(
            "update odds_quotes set first_seen_at = now() - interval '2 hours' where bookmaker = 'Zone'"
        )
    return made


def listed(web: WebProcess, **query: Any) -> list[dict[str, Any]]:
    """Every row, two a page."""
    rows, cursor = [], None
    while True:
        asked = {**query, "limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = web.get(f"/api/odds?{urlencode(asked)}")
        assert answer.status_code == 200, answer.text
        rows += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return rows


def test_each_quote_once_newest_first(web: WebProcess, posted: dict[str, Quote]) -> None:
    """A page that repeats a row, or loses one of two of the same second."""
    found = listed(web)
    wanted = sorted(posted.values(), key=lambda q: q.quoted_at, reverse=True)
    assert [dt.datetime.fromisoformat(r["quoted_at"]) for r in found] == [q.quoted_at for q in wanted]
    assert {(r["bookmaker"], r["market"], r["line"], r["over"]) for r in found} == {
        (q.bookmaker, q.market, q.line, q.over) for q in wanted
    }
    [broken] = [r for r in found if r["bookmaker"] == "Broken"]
    assert (broken["under"], broken["p_over"], broken["overround"]) == (None, None, None)
    for r in found:
        if r is broken:
            continue
        assert r["p_over"] == pytest.approx(shin((r["over"], r["under"]))[0], abs=1e-6)
        assert r["overround"] == pytest.approx(1 / r["over"] + 1 / r["under"] - 1, abs=1e-6)


@pytest.mark.parametrize(("query", "wanted"), [
    ({"book": "Slow"}, ["stale"]), ({"market": "winner"}, ["zoned", "endless", "winner", "stale"]),
    ({"match": AHEAD, "market": "spread"}, ["spread"]), ({"in_play": "true"}, ["playing"]),
    ({"in_play": "false", "book": "Book"}, ["spread", "total", "before", "early"]), ({"book": "Nobody"}, []),
])  # fmt: skip
def test_filters(web: WebProcess, posted: dict[str, Quote], query: dict[str, str], wanted: list[str]) -> None:
    """A filter that is forgotten; a price of the third quarter among those of before the start."""
    found = listed(web, **query)
    assert [dt.datetime.fromisoformat(r["quoted_at"]) for r in found] == [posted[name].quoted_at for name in wanted]


def test_from_and_to(web: WebProcess, posted: dict[str, Quote]) -> None:
    """A moment that is in both halves, or in none."""
    middle = posted["winner"].quoted_at.isoformat()
    newer, older = listed(web, **{"from": middle}), listed(web, to=middle)
    assert (len(newer), len(older)) == (7, 4)
    assert newer[-1]["bookmaker"] == "Other"


def test_lists_have_the_manners_of_the_others(web: WebProcess, posted: dict[str, Quote]) -> None:
    """A list without CSV, without a link to go on, or that takes what it does not know."""
    answer = web.get("/api/odds?limit=3")
    assert 'rel="next"' in answer.headers["link"]
    assert web.get("/api/odds?limit=3", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert web.get("/api/odds?format=csv").text.count("\r\n") == 12
    for wrong in ("market=corners", "in_play=perhaps", "bookmaker=Book", "from=yesterday", "cursor=x", "limit=0"):
        assert web.get(f"/api/odds?{wrong}").status_code == 422, wrong


def test_edge_and_expected_value_of_fresh_prices_alone(web: WebProcess, posted: dict[str, Quote]) -> None:
    """An edge against a price of an hour ago, or of another zone; an expectation without the push, a turned side."""
    told = web.get(f"/api/ml/predictions/{AHEAD}").json()
    f = told["forecast"]
    d = ScoreDistribution(f["margin_mean"], f["margin_sd"], f["total_mean"], f["total_sd"])
    found = {(p["bookmaker"], p["market"]): p for p in told["posted"]}
    fresh = {(q.bookmaker, q.market): q for name, q in posted.items() if name in ("total", "spread", "winner")}
    assert found.keys() == fresh.keys()
    for key, p in found.items():
        q = fresh[key]
        line, market_p = price(d, q.market, q.line), shin((q.over, q.under))
        assert dt.datetime.fromisoformat(p["quoted_at"]) == q.quoted_at
        for side, posted_price, ours, theirs in (
            ("over", q.over, line.over, market_p[0]), ("under", q.under, line.under, market_p[1])
        ):  # fmt: skip
            one = p[side]
            assert one["probability"] == pytest.approx(ours, abs=1e-5)
            assert one["edge"] == pytest.approx(ours / (line.over + line.under) - theirs, abs=1e-5)
            assert one["expected"] == pytest.approx(ours * posted_price + line.push - 1, abs=1e-4)
    rows = {r["external_id"]: r for r in web.get("/api/upcoming-matches").json()["items"]}
    assert rows[AHEAD]["posted"] == told["posted"]
    assert rows["LATER/1"]["posted"] == []
    [listed_row] = [r for r in web.get("/api/ml/predictions").json()["items"] if r["external_id"] == AHEAD]
    assert listed_row["posted"] == told["posted"]


def test_pages_show_what_the_api_says_and_how_old_it_is(web: WebProcess, posted: dict[str, Quote]) -> None:
    """A price without its age; an edge of a match that nobody priced."""
    told = web.get(f"/api/ml/predictions/{AHEAD}").json()
    page = Visitor(web).see(f"/matches/{AHEAD.replace(' ', '%20')}")
    card = by_id(page, "posted")
    [cards] = [one for one in page.iter("div") if one.get("class") == "cards"]
    assert cards[0] is card, "across all columns, so that it leaves no hole between them"
    rows = [[words(cell) for cell in row] for row in card.iter("tr")][1:]
    wanted = [(p[side], p) for p in told["posted"] for side in ("over", "under")]
    assert len(rows) == len(wanted) == 6
    a, b = told["player_a"], told["player_b"]
    on = [
        f"{a} \u22122.0",
        f"{b} +2.0",
        "Total points over 109.5",
        "Total points under 109.5",
        f"{a} wins",
        f"{b} wins",
    ]
    assert all(row[0].startswith(name) for row, name in zip(rows, on, strict=True)), rows
    for row, (side, p) in zip(rows, wanted, strict=True):
        assert f"{p['bookmaker']}, " in row[0]
        assert "ago" in row[0] or "just now" in row[0], row
        expected = f"{100 * side['expected']:+.1f}%".replace("-", "\u2212")
        assert row[1:] == [
            f"{side['price']:.2f}", expected, f"{100 * side['edge']:+.1f}".replace("-", "\u2212"),
            f"{100 * side['probability']:.1f}%", f"{100 * side['market_probability']:.1f}%",
        ]  # fmt: skip
    assert [one.get("datetime") for one in card.iter("time")] == [p["quoted_at"] for _, p in wanted]
    home = Visitor(web).see("/")
    [lines] = [one for one in by_id(home, f"m-{AHEAD}").iter("span") if one.get("class") == "posted"]
    assert len(lines) == 3
    for line, p in zip(lines, told["posted"], strict=True):
        values = [f"{100 * p[side]['expected']:+.1f}%".replace("-", "\u2212") for side in ("over", "under")]
        prices = f"{p['over']['price']:.2f} / {p['under']['price']:.2f}"
        assert f": {prices}, expected {values[0]} / {values[1]}" in words(line)
        assert [one.get("datetime") for one in line.iter("time")] == [p["quoted_at"]]
    assert not [one for one in by_id(home, "m-LATER/1").iter("span") if one.get("class") == "posted"]


def test_a_page_without_its_database_shows_no_price_of_long_ago(web: WebProcess, posted: dict[str, Quote]) -> None:
    """An answer that was kept while the database is away: an edge against a price of an hour ago."""
    told = web.get(f"/api/ml/predictions/{AHEAD}").json()
    moments = {dt.datetime.fromisoformat(p["quoted_at"]) for p in told["posted"]}
    assert len(sided(told, told["posted"], min(moments))) == 3
    assert [one["bookmaker"] for one in sided(told, told["posted"], max(moments))] == ["Book"]
    assert sided(told, told["posted"], max(moments) + MINUTE) == []
