"""Figures as resources: matches, forecasts, models and the ledger, of a league with hostile names."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.test_live import bring
from tests.integration.test_models import broken, challenger
from tests.jobs import eventually
from tests.simulated import simulate
from tests.web import MASTER, WebProcess, make_key, rows
from tests.wire import fixture, payload
from tests.wire import row as wire_row
from tipoff.api.access import Scope
from tipoff.api.routing import LONGEST_NAME
from tipoff.backtest.report import as_json
from tipoff.domain.match import Fixture
from tipoff.forecast.explain import explain
from tipoff.ingest.fields import LONGEST
from tipoff.ledger.chain import verify
from tipoff.pipeline.registry import submit
from tipoff.pipeline.seal import grade_known, seal_due
from tipoff.pipeline.state import Live, bring_up_to_date
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.pipeline.watch import record as watch_record
from tipoff.pipeline.watch import refresh_record
from tipoff.storage.artifacts import DirectoryStore
from tipoff.storage.ledger import LedgerRow
from tipoff.storage.pool import Pool

HOSTILE = ["A/B", "..", "100%", "A%2FB", "'; DROP TABLE MATCHES; --", '"QUOTED"', "<SCRIPT>ALERT(1)</SCRIPT>",
           "=HYPERLINK(1)", "+1", "-1", "@X", "🏀 É", "BACK\\SLASH", "?QUERY=1&X#FRAG", "X" * LONGEST]  # fmt: skip
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def league(kept_pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> tuple[Live, dict[str, Any]]:
    """Four days that end two hours ago, each hostile name in a match, fixtures, seals, a graded one, two models."""
    pool = kept_pool
    store = DirectoryStore(tmp_path_factory.mktemp("models"))
    with pool.connection() as connection:
        [(now,)] = connection.execute("select clock_timestamp()").fetchall()
    known = simulate(12)[0]
    for params in ((), (broken(),)):
        submit(pool, store, challenger(known, *params), known, dt.datetime(2026, 3, 13, tzinfo=dt.UTC), "test")
    history = simulate(4)[0]
    shift = now - dt.timedelta(hours=2) - history[-1].start
    rows = [
        wire_row(i, startDate=(m.start + shift).strftime("%Y-%m-%dT%H:%M:%SZ"), participantAName=m.player_a,
                 participantBName=m.player_b, teamAName=m.team_a, teamBName=m.team_b, teamAScore=m.score_a,
                 teamBScore=m.score_b, externalId=m.external_id)
        for i, m in enumerate(history)
    ]  # fmt: skip
    a, b = history[0].player_a, history[-1].player_b
    rows += [
        wire_row(0, start=now - 90 * MINUTE, participantAName=name, participantBName=b, externalId=f"H {name[:40]}")
        for name in HOSTILE
    ]
    soon = [
        fixture(900, now + 1.5 * MINUTE, participantAName=a, participantBName=b, externalId="SOON"),
        fixture(901, now + 20 * MINUTE, participantAName="A/B", participantBName=b, externalId="LATER/1"),
        fixture(902, now + 90 * MINUTE, participantAName=a, participantBName=b, externalId="MUCH LATER"),
    ]
    bring(pool, payload([*rows, *soon], now, now.date()))
    live = bring_up_to_date(pool, now)
    assert seal_due(pool, live, [30, 2], "test").sealed == 2
    over = wire_row(900, start=now + 1.5 * MINUTE, participantAName=a, participantBName=b, externalId="SOON")
    with pool.connection() as connection:
        [(later,)] = connection.execute("select clock_timestamp()").fetchall()
    bring(pool, payload([over], later, now.date()))
    assert grade_known(pool) == 1
    refresh_statistics(pool, now)
    return bring_up_to_date(pool, now), {"a": a, "b": b, "now": now, "n": len(history)}


def inside(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="").replace(".", "%2E")


def everything(web: WebProcess, path: str) -> list[dict[str, Any]]:
    """All items, page by page."""
    found: list[dict[str, Any]] = []
    while path:
        answer = web.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    return found


def test_matches_are_listed_and_filtered(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A filter that leaves something out, a page that repeats a row, an order that is none."""
    _, told = league
    listed = everything(web, "/api/matches?limit=200")
    assert len(listed) == told["n"] + len(HOSTILE) + 1
    assert [m["start"] for m in listed] == sorted((m["start"] for m in listed), reverse=True)
    assert len({m["external_id"] for m in listed}) == len(listed)
    name, team = listed[40]["player_a"], listed[40]["team_a"]
    mine = [m["external_id"] for m in listed if name in (m["player_a"], m["player_b"])]
    assert [m["external_id"] for m in everything(web, f"/api/matches?player={quote(name)}&limit=50")] == mine
    used = [
        m["external_id"]
        for m in listed
        if (name, team) in ((m["player_a"], m["team_a"]), (m["player_b"], m["team_b"]))
    ]
    path = f"/api/matches?player={quote(name)}&team={quote(team)}"
    assert [m["external_id"] for m in everything(web, path)] == used
    assert used
    begin, end = listed[200]["start"], listed[100]["start"]
    between = everything(web, f"/api/matches?from={begin}&to={end}&status=final")
    assert [m for m in listed if begin <= m["start"] < end] == between
    assert [m["external_id"] for m in everything(web, "/api/matches?status=scheduled")] == ["MUCH LATER", "LATER/1"]
    assert everything(web, "/api/matches?status=void") == []
    for wrong in (
        "from=2026-01-01T00:00:00",
        "from=soon",
        "from=0",
        "to=0001-01-01T00:00:00%2B14:00",
        "status=over",
        "limit=0",
        "cursor=x",
    ):
        assert web.get(f"/api/matches?{wrong}").status_code == 422, wrong
    streamed = list(csv.DictReader(io.StringIO(web.get("/api/matches?format=csv").text)))
    assert [row["external_id"].lstrip("'") for row in streamed] == [m["external_id"].lstrip("'") for m in listed]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name[:20])
def test_hostile_names_are_kept_found_shown_and_exported(
    web: WebProcess, league: tuple[Live, dict[str, Any]], name: str
) -> None:
    """A name that another page answers to, that breaks a query, or that a spreadsheet executes."""
    [match] = everything(web, f"/api/matches?player={inside(name)}")[-1:]
    assert match["player_a"] == name
    detail = web.get(f"/api/matches/{inside(match['external_id'])}")
    assert (detail.status_code, detail.json()["player_a"]) == (200, name)
    assert detail.headers["content-type"] == "application/json"
    row = list(csv.reader(io.StringIO(web.get(f"/api/matches?player={inside(name)}&format=csv").text)))[-1]
    assert name in row or f"'{name}" in row
    assert not [cell for cell in row if cell[:1] in "=+-@" and cell]
    asked = {"matches": [{"player_a": name, "player_b": match["player_b"]}]}
    answer = web.post("/api/ml/what-if", key=None, json=asked)
    assert answer.json()["items"][0]["player_a"] == name
    whole = web.get(f"/api/players/{inside(name)}").json()
    assert (whole["player"], whole["career"]["matches"]) == (name, 1)
    other = inside(match["player_b"])
    assert web.get(f"/api/h2h/{inside(name)}/{other}").json()["matches"] == 1
    assert web.get(f"/api/h2h/{other}/{inside(name)}").json()["player_b"] == name
    assert [c["player"] for c in everything(web, f"/api/player-stats?player={inside(name)}")] == [name]
    assert name in [c["player"] for c in everything(web, f"/api/players?search={inside(name.lower())}")]
    assert name in [c["player"] for c in everything(web, f"/api/players?search={inside(name[1:].lower())}")]


def test_a_name_of_ten_kilobytes_is_looked_up(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A request that is too long for some part on the way, and an error instead of an answer."""
    for name in ("x" * LONGEST_NAME, "🏀" * LONGEST_NAME):
        assert everything(web, f"/api/matches?player={quote(name)}&team={quote(name)}") == []
        assert web.get(f"/api/matches/{quote(name)}").status_code == 404
        assert web.get(f"/api/h2h/{quote(name)}/{quote(name[1:])}").status_code == 404
    for name in ("x" * 10_000, "🏀" * (LONGEST_NAME + 1)):
        for path, where in ((f"matches?player={quote(name)}", "player"), (f"players/{quote(name)}", "handle")):
            refused = web.get(f"/api/{path}")
            assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, where)
    assert len("🏀".encode() * LONGEST_NAME) == 10_000
    assert web.get("/api/matches/a%00b").status_code == 422
    assert web.get("/api/matches?player=%00").status_code == 422
    assert web.get("/api/matches?player=%ff%fe").status_code == 200


def test_one_match_is_shown_whole(web: WebProcess, league: tuple[Live, dict[str, Any]], kept_pool: Pool) -> None:
    """A match without what was sealed of it; a payload that everybody may see."""
    played = web.get("/api/matches/SOON").json()
    assert (played["status"], played["score_a"], played["forecast"]) == ("final", 55, None)
    [seal] = played["seals"]
    assert (seal["horizon"], seal["grade"]["status"]) == (2, "graded")
    assert seal["grade"]["scores"]["log_loss"] > 0
    assert [h["status"] for h in played["history"]] == ["final"]
    coming = web.get("/api/matches/LATER%2F1").json()
    assert coming["forecast"]["p_a"] == pytest.approx(coming["seals"][0]["p_a"], abs=0.02)
    assert web.get("/api/matches/NOBODY").status_code == 404
    assert web.get("/api/matches/SOON/raw").status_code == 401
    raw = web.get("/api/matches/SOON/raw", MASTER).json()
    assert raw["row"]["participantAName"] == played["player_a"]
    assert web.get("/api/matches/MUCH%20LATER/raw", MASTER).status_code == 404
    key, _ = make_key(kept_pool, Scope.READ)
    assert web.get("/api/matches/SOON/raw", key).status_code == 403


def test_forecasts_are_those_of_the_filter(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A page that shows other figures than what is sealed."""
    live, told = league
    page = web.get("/api/ml/predictions?line=109.5&odds_format=american").json()
    assert [p["external_id"] for p in page["items"]] == ["LATER/1", "MUCH LATER"]
    assert page["model"] == live.model
    for p in page["items"]:
        names = ("external_id", "player_a", "player_b", "team_a", "team_b", "stream")
        values = [p[name] for name in names]
        start = dt.datetime.fromisoformat(p["start"])
        one = Fixture(values[0], start, *values[1:])
        [d] = live.state.forecast([one])
        assert p["forecast"]["p_a"] == pytest.approx(d.p_a, abs=1e-6)
        assert p["forecast"]["total_sd"] == pytest.approx(d.total_sd, abs=1e-6)
        assert p["market"]["market"] == "total"
        assert p["market"]["over"] == pytest.approx(d.total(109.5).over, abs=1e-6)
        assert isinstance(p["market"]["fair_over"], int)
        whole = web.get(f"/api/ml/predictions/{quote(p['external_id'], safe='')}").json()
        [why] = explain(live.state, [one])
        assert sum(part["margin"] for part in whole["why"]) == pytest.approx(d.margin_mean, abs=1e-4)
        assert [part["words"] for part in whole["why"]] == [part.words for part in why.parts]
        assert {m["market"] for m in whole["markets"]} == {
            "winner",
            "total",
            "spread",
            "team_total_a",
            "team_total_b",
        }
    coming = web.get("/api/upcoming-matches").json()
    assert [m["sealed"] for m in coming["items"]] == [[30], []]
    assert coming["items"][0]["forecast"]["p_a"] == page["items"][0]["forecast"]["p_a"]
    over = web.get("/api/ml/predictions/SOON").json()
    assert (over["forecast"], over["why"], len(over["seals"])) == (None, [], 1)
    assert web.get("/api/ml/predictions?market=winner&line=3").status_code == 422
    assert web.get("/api/ml/predictions?line=3.3").status_code == 422
    assert "/" in web.get("/api/ml/predictions?odds_format=fractional").json()["items"][0]["forecast"]["fair_a"]
    assert told["a"]


def test_what_is_in_play_and_the_whole_at_a_glance(
    web: WebProcess, league: tuple[Live, dict[str, Any]], kept_pool: Pool
) -> None:
    """A match that has begun and is nowhere; a summary that counts something else."""
    live, _ = league
    summary = web.get("/api/ml/predictions/summary").json()
    assert (summary["upcoming"], summary["sealed"]) == (2, 1)
    assert sum(summary["by_confidence"].values()) == 2
    assert (summary["last_day"]["matches"], summary["last_week"]["log_loss"]) == (0, None)
    with kept_pool.connection() as connection:
        connection.execute(
            "update upcoming_matches set start_at = start_at - interval '35 min' where status = 'scheduled'"
        )
    try:
        for n in (3, 7):
            with kept_pool.connection() as connection:
                connection.execute(
                    "insert into model_performance values "
                    "(%s, current_date - %s, %s, 0.6, 0.2, 0.6, 7, 9, 0.8, 0.8, now())",
                    (live.model, n, n),
                )
        [playing] = web.get("/api/live-scores").json()["items"]
        assert (playing["external_id"], playing["score_a"], len(playing["seals"])) == ("LATER/1", None, 1)
        assert 14 < playing["minutes"] < 17
        summary = eventually(
            lambda: s if (s := web.get("/api/ml/predictions/summary").json())["upcoming"] == 1 else None,
            "counts anew",
        )
        assert (summary["upcoming"], summary["last_day"]["matches"], summary["last_week"]["matches"]) == (1, 3, 10)
        assert [d["matches"] for d in everything(web, "/api/ml/model-performance?limit=1")] == [3, 7]
    finally:
        with kept_pool.connection() as connection:
            connection.execute("delete from model_performance")
            connection.execute(
                "update upcoming_matches set start_at = start_at + interval '35 min' where status = 'scheduled'"
            )
        eventually(lambda: web.get("/api/ml/predictions/summary").json()["upcoming"] == 2, "as before")


def test_what_if_answers_many_at_once(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A name typed wrong that is taken for a newcomer."""
    _, told = league
    one = {"player_a": told["a"], "player_b": told["b"], "team_a": "Harbor Herons", "market": "spread", "line": -3}
    asked = {"matches": [one, {"player_a": told["b"], "player_b": told["a"]}], "odds_format": "fractional"}
    first, second = web.post("/api/ml/what-if", key=None, json=asked).json()["items"]
    assert (first["market"]["market"], first["market"]["line"]) == ("spread", -3)
    assert second["market"]["over"] == second["forecast"]["p_a"]
    assert second["forecast"]["p_a"] + web.post(
        "/api/ml/what-if", key=None, json={"matches": [{"player_a": told["a"], "player_b": told["b"]}]}
    ).json()["items"][0]["forecast"]["p_a"] == pytest.approx(1, abs=0.02)
    typo = web.post("/api/ml/what-if", key=None, json={"matches": [{**one, "player_a": told["a"] + "X"}]})
    assert (typo.status_code, typo.json()["errors"][0]["where"]) == (422, "/matches/0/player_a")
    assert told["a"] in typo.json()["detail"]
    new = {"matches": [{**one, "player_a": "NOBODY KNOWS"}], "newcomers": True}
    assert "only 0 results" in web.post("/api/ml/what-if", key=None, json=new).json()["items"][0]["cautions"][0]
    past, same = {**one, "start": "2020-01-01T00:00:00Z"}, {**one, "player_b": one["player_a"]}
    number, first = {**one, "start": told["now"].timestamp() + 60}, {**one, "start": "0001-01-01T00:00:00+14:00"}
    for wrong in ([], [one] * 101, [same], [past], [number], [first], [{**one, "line": 0.3}], [{**one, "line": "3"}]):
        assert web.post("/api/ml/what-if", key=None, json={"matches": wrong}).status_code == 422, wrong


def test_players_are_told_apart_only_where_they_can_be(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A rank that hides its interval, a record that is not that of the matches."""
    live, told = league
    board = everything(web, "/api/players?limit=9")
    strengths = {name: (mean, sd) for name, mean, sd in live.state.strengths()}
    assert len(board) == len({c["player"] for c in board}) == len(everything(web, "/api/player-stats?limit=200"))
    assert [c["strength"] for c in board] == sorted((c["strength"] for c in board), reverse=True)
    for c in board[:5]:
        assert c["strength_sd"] == pytest.approx(strengths[c["player"]][1], abs=1e-6)
        assert c["strength_low"] < c["strength"] < c["strength_high"]
    name = told["a"]
    mine = everything(web, f"/api/matches?player={quote(name)}&status=final&limit=200")
    whole = web.get(f"/api/players/{quote(name)}").json()
    assert whole["form"] == mine[:10]
    assert sum(t["matches"] for t in whole["by_team"]) == len(mine)
    assert all(t["win_low"] <= t["win_share"] <= t["win_high"] for t in whole["by_team"])
    assert [m["external_id"] for m in whole["next"]] == ["MUCH LATER"]
    assert {r["model"] for r in whole["history"]} == {live.model}
    rival = mine[-1]["player_b"] if mine[-1]["player_a"] == name else mine[-1]["player_a"]
    met = [m for m in mine if rival in (m["player_a"], m["player_b"])]
    wins = sum((m["score_a"] > m["score_b"]) == (m["player_a"] == name) for m in met)
    both = web.get(f"/api/h2h/{quote(name)}/{quote(rival)}").json()
    assert (both["matches"], both["wins_a"], both["last"]) == (len(met), wins, met[:20])
    assert both["forecast"]["p_a"] > 0
    for missing in ("players/NOBODY", f"h2h/NOBODY/{quote(name)}"):
        assert web.get(f"/api/{missing}").status_code == 404
    assert web.get(f"/api/h2h/{quote(name)}/{quote(name)}").status_code == 422


def test_earlier_names_answer_with_their_successor(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A client of the earlier system that finds nothing."""
    job = web.post("/api/ml/train").json()
    pairs = [
        ("/api/predictions?line=109.5", "/api/ml/predictions?line=109.5"),
        ("/api/system-status", "/api/system/status"),
        ("/api/pipeline-status", "/api/jobs?job_type=data_pipeline"),
        (f"/api/ml/train-status?job_id={job['job_id']}", f"/api/jobs/{job['job_id']}"),
    ]  # fmt: skip
    for old, new in pairs:
        answer, successor = web.get(old), web.get(new)
        assert set(answer.json()) == set(successor.json())
        assert answer.headers["deprecation"].startswith("@")
        assert f'<{new.partition("?")[0]}>; rel="successor-version"' in answer.headers["link"]
        assert "deprecation" not in successor.headers
    assert web.get("/api/ml/train-status").status_code == 422
    assert web.get("/api/ml/train-status?job_id=../keys").status_code == 422
    assert web.post(f"{job['job_status_url']}/cancel").status_code == 200


def test_models_say_what_they_are(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A refused model that can be let forecast; a comparison that hides that it is not a fair one."""
    live, _ = league
    refused, champion = everything(web, "/api/ml/models")
    assert (champion["active"], refused["verdict"]) == (True, "refused")
    assert web.get("/api/ml/models/active").json()["sha256"] == live.model
    whole = web.get(f"/api/ml/models/{refused['version']}").json()
    assert whole["params"]["margin"]["q"] == 80.0
    assert whole["gate"]["checks"]
    assert web.post(f"/api/ml/models/{refused['version']}/activate").status_code == 409
    assert web.post(f"/api/ml/models/{champion['version']}/activate").json()["active"] is True
    assert web.post("/api/ml/models/999/activate").status_code == 404
    both = web.get(f"/api/ml/models/compare/{refused['version']}/{champion['version']}").json()
    assert both["params"]["margin.q"][0] == 80.0
    assert len(web.get("/api/ml/feature-importance").json()["items"]) == 9
    assert web.get("/api/ml/feature-importance?version=999").status_code == 404
    assert everything(web, "/api/ml/model-performance") == []


def test_the_ledger_verifies_from_its_export(
    web: WebProcess, league: tuple[Live, dict[str, Any]], tmp_path: Path
) -> None:
    """A chain that is shown but cannot be checked."""
    exported = web.get("/api/ledger/export").text
    rows = [LedgerRow(**json.loads(line)) for line in exported.splitlines()]
    found = verify(rows)
    assert (found.rows, found.broken) == (4, None)
    page = web.get("/api/ledger?limit=3").json()
    assert page["head"]["hash"] == rows[-1].hash
    assert [r["hash"] for r in everything(web, "/api/ledger?limit=3")] == [r.hash for r in rows]
    seals = everything(web, "/api/ledger?kind=seal")
    assert len(seals) == 2
    for r in seals:
        assert hashlib.sha256(f"{r['prev']}\n{r['content']}".encode()).hexdigest() == r["hash"]


def test_reading_writes_nothing(web: WebProcess, league: tuple[Live, dict[str, Any]], kept_pool: Pool) -> None:
    """A GET that changes something."""

    def written() -> dict[str, Any]:
        """Each table's rows by where they are and who wrote them."""
        names = [
            row[0] for row in rows(kept_pool, "select relname from pg_stat_user_tables where schemaname = 'public'")
        ]
        query = "select count(*), md5(string_agg(concat(ctid, xmin), ',' order by ctid)) from {}"
        return {name: rows(kept_pool, query.format(name)) for name in names}

    def settled() -> bool:
        """Whether what earlier requests and the process's first look leave to be written has been."""
        found = written()
        time.sleep(1.2)
        return written() == found

    eventually(settled, "what came before to be written")
    before = written()
    paths = ("matches", "upcoming-matches?limit=3", "ml/predictions?limit=7", "ledger?limit=9", "ml/models?limit=4",
             "system/status", "jobs?limit=9", "matches/SOON")  # fmt: skip
    for path in paths:
        assert web.get(f"/api/{path}", headers={"X-API-Key": MASTER}).status_code == 200
    assert written() == before


def test_the_record_is_what_the_ledger_says(
    web: WebProcess, league: tuple[Live, dict[str, Any]], kept_pool: Pool
) -> None:
    """A record of somebody's choosing, an old one that looks new, intervals that are lost on the way."""
    assert web.get("/api/record").status_code == 404
    now = league[1]["now"] + dt.timedelta(hours=1)
    assert refresh_record(kept_pool, [30, 2], now) == 2
    assert refresh_record(kept_pool, [30, 2], now) is None
    eventually(lambda: web.get("/api/record?by=week").status_code == 200, "the record", 5.0)
    shown = web.get("/api/record?by=week")
    made = watch_record(kept_pool, [30, 2], now, "week")
    assert made is not None
    wanted, got = as_json(made), shown.json()
    for name in (
        "clock",
        "main",
        "statuses",
        "by_horizon",
        "by_period",
        "by_model",
        "by_confidence",
        "bins",
        "prices",
    ):
        assert got[name] == wanted[name], name
    assert got["by_horizon"]["2"]["n"] == 1
    missing = wanted["coverage"][0]["missing"]
    assert (got["coverage"][0]["missing"], got["coverage"][0]["missing_newest"]) == (len(missing), missing[-100:])
    assert (got["ledger_row"], got["rows_since"], got["corrections"]) == (4, 0, 0)
    assert (
        web.get("/api/record", headers={"If-None-Match": web.get("/api/record").headers["etag"]}).status_code == 304
    )
    assert list(web.get("/api/record?by=month").json()["by_period"]) == [f"{league[1]['now']:%Y-%m}"]
    assert web.get("/api/record?by=year").status_code == 422
