"""The record as a page: the ledger's figures, each with n and interval, every forecast, and how to check them."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from psycopg.types.json import Jsonb

from tests.api.test_pages_data import league, sealed
from tests.jobs import eventually
from tests.pages import Visitor, by_id, form, parse, with_class, words
from tests.web import WebProcess
from tipoff.api.record.schemas import TrackRecord
from tipoff.backtest.report import as_json
from tipoff.forecast.forecaster import Forecasts
from tipoff.forecast.groups import groups
from tipoff.pipeline.watch import refresh_record
from tipoff.storage.pool import Pool
from tipoff.web.pages.record import verdicts
from tipoff.web.words import number, percent

__all__ = ["league", "sealed"]


@pytest.fixture(scope="module")
def record(web: WebProcess, sealed: object, league: Any, kept_pool: Pool) -> dict[str, Any]:
    """What the API says once the job has run."""
    assert refresh_record(kept_pool, (30, 2), league[1]["now"])
    eventually(lambda: web.get("/api/record").status_code == 200, "the record", 5.0)
    return dict(web.get("/api/record").json())


def listed(page: ET.Element) -> list[str]:
    """Rows of the list of forecasts, in order."""
    return [row.get("id", "") for row in by_id(page, "sealed-rows")]


def test_the_page_before_the_first_seal(shared_dsn: str, web: WebProcess) -> None:
    """A page that fails, or shows zeros as if they were figures, before there is a record."""
    page = Visitor(web).see("/record")
    text = words(by_id(page, "main"))
    assert "There is no record yet" in text
    assert "Nothing is sealed yet" in text
    assert "verify_ledger.py" in words(by_id(page, "verify"))
    assert not list(page.iter("svg")) or all("chart" not in one.get("class", "") for one in page.iter("svg"))


def test_figures_stand_with_n_and_interval(web: WebProcess, record: dict[str, Any]) -> None:
    """A figure of another horizon, one without how sure it is, or a missing interval that is made up."""
    page = Visitor(web).see("/record")
    main = record["by_horizon"][str(record["main"])]
    said = words(by_id(page, "verdict"))
    assert f"{main['n']} forecasts, sealed {record['main']} minutes before" in said
    assert number(main["measures"]["log_loss"]["mean"], 4) in said
    hit = main["measures"]["hit"]
    [tile] = [words(one) for one in with_class(page, "tile") if words(one).startswith("Called right")]
    assert percent(hit["mean"], 1) in tile
    assert f"n = {hit['n']}" in tile
    assert "no interval yet" in tile or percent(hit["low"], 1) in tile
    shown = [(bin_["n"], percent(bin_["share_won"], 1)) for bin_ in record["bins"]]
    table = [row for row in by_id(page, "calibration-table").iter("tr") if row.find("td") is not None]
    assert [(int(words(r[1])), words(r[3])) for r in table] == shown
    stated = {
        words(r[0]): words(r[4]) for r in by_id(page, "confidence-table").iter("tr") if r.find("td") is not None
    }
    assert stated == {name: percent(group["stated"], 1) for name, group in record["by_confidence"].items()}
    graded = web.get("/api/record/forecasts?status=graded&limit=200").json()["items"]
    sure = [max(one["p_a"], 1 - one["p_a"]) for one in graded]
    assert main["stated"] == pytest.approx(sum(sure) / len(sure), abs=1e-9)


def test_it_says_for_whom_the_intervals_are_right(web: WebProcess, record: dict[str, Any], kept_pool: Pool) -> None:
    """Margins for totals, a group of another table, or a share without its number."""
    assert "Not worked out yet" in words(by_id(Visitor(web).see("/record"), "card-groups"))
    rng = np.random.default_rng(4)
    mean, sd, known = rng.normal(0, 4, 90), np.full(90, 9.0), rng.integers(0, 40, 90)
    made = Forecasts(np.full(90, 0.6), mean, sd, mean + 108, sd + 2, known, known / 3)
    told = as_json(groups(made, np.rint(mean + 9), np.rint(mean + 100), np.arange(90) % 15))
    [example] = TrackRecord.model_json_schema()["examples"]
    document = {k: v for k, v in example.items() if k not in ("made_at", "ledger_row", "rows_since", "period")}
    with kept_pool.connection() as connection:
        connection.execute("update track_record set document = %s where period = 'week'",
                           (Jsonb(document | {"groups": told}),))  # fmt: skip
    eventually(lambda: web.get("/api/record?by=week").json()["groups"], "the groups", 5.0)
    assert web.get("/api/record?by=week").json()["groups"] == told
    tables = list(by_id(Visitor(web).see("/record?by=week"), "card-groups").iter("table"))
    for table, kind in zip(tables, told.values(), strict=True):
        rows = [[words(cell) for cell in row] for row in table.iter("tr")][1:]
        for row, group in zip(rows, kind, strict=True):
            assert row[:2] == [group["name"], number(group["n"])]
            for cells, side in ((row[2:4], "margin"), (row[4:6], "total")):
                assert cells[0].startswith(percent(group[side]["inside"]["mean"], 1))
                assert cells[1].startswith(number(group[side]["crps"]["mean"], 2))


def test_a_replay_is_called_one(web: WebProcess, record: dict[str, Any], kept_pool: Pool) -> None:
    """Forecasts made afterwards that look as if they had been made before."""
    assert record["clock"] == "database"
    assert "A replay." not in words(by_id(Visitor(web).see("/record"), "main"))
    [example] = TrackRecord.model_json_schema()["examples"]
    document = {k: v for k, v in example.items() if k not in ("made_at", "ledger_row", "rows_since", "period")}
    document |= {"clock": "replay", "label": "<script>alert(1)</script>", "corrections": 1, "corrections_newest": [
        {"external_id": "<b>'\"&", "horizon": 2, "grades": [
            {"status": "final", "result": {"score_a": 61, "score_b": 54}},
            {"status": "final", "result": {"score_a": 54, "score_b": 61}}]}]}  # fmt: skip
    with kept_pool.connection() as connection:
        connection.execute("update track_record set document = %s where period = 'month'", (Jsonb(document),))
    eventually(lambda: web.get("/api/record?by=month").json()["clock"] == "replay", "the replay", 5.0)
    page = Visitor(web).see("/record?by=month")
    text = words(by_id(page, "verdict"))
    assert "A replay." in text
    assert "<script>alert(1)</script>" in text
    assert "61–54 → final 54–61" in words(by_id(page, "card-corrections"))
    assert "<b>'\"&" in words(by_id(page, "card-corrections"))
    missing = [words(one) for one in by_id(page, "missing-2").iter("a")]
    assert missing == ["NB2", "NB1"]


@pytest.mark.parametrize(
    ("difference", "kind", "said"),
    [
        ({"mean": -0.04, "low": -0.05, "high": -0.03}, "better", "than Elo by 0.0400 (95% interval +0.0300 to"),
        ({"mean": 0.04, "low": 0.03, "high": 0.05}, "worse", "than Elo by 0.0400 (95% interval −0.0500 to −0.0300)"),
        ({"mean": -0.01, "low": -0.03, "high": 0.01}, "open", "not told apart, +0.0100"),
        ({"mean": -0.04, "low": None, "high": None}, "open", "no interval yet"),
    ],
)  # fmt: skip
def test_better_is_said_only_where_it_is_proven(difference: dict[str, float], kind: str, said: str) -> None:
    """A difference that chance explains, sold as an advantage; a loss called a gain."""
    [(found, text)] = verdicts({"baselines": [{"name": "Elo", "difference": difference}]})
    assert found == kind
    assert said in text


def test_every_forecast_is_there_page_by_page(web: WebProcess, record: dict[str, Any]) -> None:
    """A forecast left out or shown twice; a page that cannot be reached without JavaScript."""
    visitor, found, address = Visitor(web), list[str](), "/record"
    while address:
        page = visitor.see(address)
        found += listed(page)
        assert len(set(found)) == len(found)
        following = [a.get("href", "") for a in by_id(page, "forecasts").iter("a") if a.get("rel") == "next"]
        address = following[0] if following else ""
    stored = [s["row"] for s in web.get("/api/record/forecasts?limit=200").json()["items"]]
    assert found == [f"s-{row}" for row in stored]
    assert len(found) > 30


def test_forecasts_are_filtered_without_javascript(web: WebProcess, record: dict[str, Any]) -> None:
    """A form whose filters are ignored; a CSV of something else."""
    visitor = Visitor(web)
    fields = form(visitor.see("/record"), "/record", "became")
    for became, query in (("miss", "outcome=miss"), ("void", "status=void"), ("open", "status=open")):
        page = parse(visitor.http.get("/record", params={**fields, "became": became, "player": ""}).text)
        expected = web.get(f"/api/record/forecasts?{query}&limit=30").json()["items"]
        assert listed(page) == [f"s-{s['row']}" for s in expected], became
        assert form(page, "/record", "became")["became"] == became
        [link] = [a.get("href", "") for a in page.iter("a") if "download" in a.attrib]
        rows = list(csv.DictReader(io.StringIO(visitor.http.get(link).text)))
        assert [f"s-{row['row']}" for row in rows][: len(expected)] == listed(page)
    page = parse(visitor.http.get("/record", params={"player": "player 3"}).text)
    assert len(listed(page)) > 2
    assert all("PLAYER 3" in words(by_id(page, row)) for row in listed(page))
    page = visitor.see("/record?player=%3Cscript%3E")
    assert form(page, "/record", "became")["player"] == "<SCRIPT>"
    assert "Every forecast of <SCRIPT>" in words(by_id(page, "forecasts"))
    assert "No forecast fits" in words(by_id(page, "forecasts"))
    refused = visitor.see("/record?horizon=x")
    assert "cannot be shown" in words(by_id(refused, "forecasts"))


def test_the_head_is_that_of_the_chain(web: WebProcess, record: dict[str, Any]) -> None:
    """A head that somebody keeps and that verifies nothing."""
    head = web.get("/api/ledger?limit=1").json()["head"]
    [line] = by_id(Visitor(web).see("/record"), "head").iter("pre")
    assert json.loads(words(line)) == {"seq": head["seq"], "hash": head["hash"]}
