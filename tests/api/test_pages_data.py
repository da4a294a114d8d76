"""What pages show beyond one resource: every sealed forecast, teams, opponents, logs, fixtures by confidence."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import math
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg.types.json import Jsonb

from tests.api.test_data import everything, league
from tests.integration.test_live import bring
from tests.jobs import eventually
from tests.sealing import MINUTE, body, waiting
from tests.web import WebProcess, rows
from tests.wire import payload
from tests.wire import row as wire_row
from tipoff.api.record.schemas import TrackRecord
from tipoff.domain.match import Fixture
from tipoff.pipeline.seal import grade_known
from tipoff.pipeline.state import Live, bring_up_to_date
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.storage import ledger
from tipoff.storage.fixtures import see
from tipoff.storage.pool import Pool
from tipoff.storage.stats import refresh_teams

__all__ = ["league"]
League = tuple[Live, dict[str, Any]]
SEALED = 40
SECOND = dt.timedelta(seconds=1)


@pytest.fixture(scope="module")
def sealed(league: League, kept_pool: Pool) -> dict[str, dict[str, Any]]:
    """Results of 40 sealed forecasts by id: F3 sealed late, F4 void, F5 and F6 moved and sealed again, F7 open."""
    with kept_pool.connection() as connection:
        [(now,)] = connection.execute("select date_trunc('second', clock_timestamp())").fetchall()
        made = waiting(connection, [now + MINUTE + i * SECOND for i in range(SEALED)])
        margins = [1.5 * (-1) ** i + i / 10 for i in range(SEALED)]
        moved = [f"F{i}" for i in (5, 6)]
        assert len(ledger.seal(connection, [body(f, 2, m) for f, m in zip(made, margins, strict=True)])) == SEALED
        connection.execute(
            "update upcoming_matches set start_at = start_at + interval '7 s' where external_id = any(%s)", (moved,)
        )
        again = [
            body(dataclasses.replace(f, start=f.start + 7 * SECOND), 2, 9.0) for f in made if f.external_id in moved
        ]
        assert all(row.isdigit() for row in ledger.seal(connection, again))
    results = []
    for i, f in enumerate(made):
        late = f.external_id == "F3"
        start = f.start - 2 * MINUTE if late else f.start + (7 * SECOND if f.external_id in moved else 0 * SECOND)
        status = {"matchStatus": "MATCH_ABANDONED"} if i == 4 else {}
        results.append(
            wire_row(i, start=start, externalId=f.external_id, participantAName=f.player_a,
                     participantBName=f.player_b, teamAScore=50 + 2 * i, teamBScore=81, **status)
        )  # fmt: skip
    with kept_pool.connection() as connection:
        [(later,)] = connection.execute("select clock_timestamp()").fetchall()
    bring(kept_pool, payload([r for r in results if r["externalId"] != "F7"], later, later.date()))
    assert grade_known(kept_pool) == SEALED - 1 + len(moved)
    return {r["externalId"]: r for r in results}


def test_every_sealed_forecast_is_shown_with_what_came(
    web: WebProcess, sealed: dict[str, dict[str, Any]], kept_pool: Pool
) -> None:
    """A loss left out, a match twice, a score or a winner of another match, an order that is none."""
    shown = everything(web, "/api/record/forecasts?limit=7")
    assert [s["row"] for s in shown] == sorted((s["row"] for s in shown), reverse=True)
    assert len({s["external_id"] for s in shown}) == len(shown) == SEALED + 1
    mine = {s["external_id"]: s for s in shown if s["external_id"] in sealed}
    assert set(mine) == set(sealed)
    for external_id, row in sealed.items():
        got = mine[external_id]
        status = {"F3": "late", "F4": "void", "F7": "open"}.get(external_id, "graded")
        assert (got["status"], got["player_a"]) == (status, row["participantAName"]), external_id
        assert got["start"] == row["startDate"]
        if status != "graded":
            assert (got["hit"], got["log_loss"]) == (None, None)
            continue
        won = row["teamAScore"] > row["teamBScore"]
        assert (got["score_a"], got["score_b"]) == (row["teamAScore"], row["teamBScore"])
        assert got["hit"] == (None if got["p_a"] == 0.5 else (got["p_a"] > 0.5) == won), external_id
        assert got["log_loss"] == pytest.approx(-math.log(got["p_a"] if won else 1 - got["p_a"]), abs=1e-9)
        assert (got["margin_mean"] == 9.0) == (external_id in ("F5", "F6"))
    stored = {row[0]: row[1:] for row in rows(kept_pool, "select seq, hash from ledger")}
    assert all(stored[s["row"]] == (s["hash"],) for s in shown)
    exported = csv.DictReader(io.StringIO(web.get("/api/record/forecasts?format=csv&limit=9").text))
    assert [int(row["row"]) for row in exported] == [s["row"] for s in shown]


def test_sealed_forecasts_are_filtered(web: WebProcess, sealed: dict[str, dict[str, Any]]) -> None:
    """A filter that leaves something out; a wrong one that is ignored."""
    shown = everything(web, "/api/record/forecasts")
    wanted = {
        "status=graded": [s for s in shown if s["status"] == "graded"], "status=void": ["F4"], "status=late": ["F3"],
        "status=open": ["F7"], "outcome=hit": [s for s in shown if s["hit"]],
        "outcome=miss": [s for s in shown if s["hit"] is False],
        "player=PLAYER%203": [s for s in shown if "PLAYER 3" in (s["player_a"], s["player_b"])],
        "player=RIVAL%203&outcome=miss": [
            s for s in shown if "RIVAL 3" in (s["player_a"], s["player_b"]) and s["hit"] is False
        ],
        "player=RIVAL%204&status=void": ["F4"], "outcome=hit&status=void": [], "horizon=7": [],
        "horizon=30": ["LATER/1"], "player=NOBODY": [],
    }  # fmt: skip
    for query, expected in wanted.items():
        ids = [one if isinstance(one, str) else one["external_id"] for one in expected]
        found = everything(web, f"/api/record/forecasts?{query}&limit=3")
        assert [s["external_id"] for s in found] == ids, query
    assert len(wanted["outcome=hit"]) > 5 < len(wanted["outcome=miss"])
    assert web.get("/api/record/forecasts").json()["horizon"] == 2
    for wrong in ("horizon=0", "horizon=x", "status=lost", "outcome=draw", "cursor=x", "team=X"):
        assert web.get(f"/api/record/forecasts?{wrong}").status_code == 422, wrong


def test_a_record_of_an_earlier_version_is_still_shown(web: WebProcess, sealed: object, kept_pool: Pool) -> None:
    """A page that is gone after an update until a job has run."""
    [example] = TrackRecord.model_json_schema()["examples"]
    outside = ("made_at", "ledger_row", "rows_since", "period")
    document = {name: value for name, value in example.items() if name not in outside}
    with kept_pool.connection() as connection:
        for period in ("week", "month"):
            connection.execute("insert into track_record values (%s, now(), 1, 0, %s)", (period, Jsonb(document)))
            document["baselines"] = [{k: v for k, v in b.items() if k != "by_period"} for b in document["baselines"]]
    eventually(lambda: web.get("/api/record?by=month").status_code == 200, "the record", 5.0)
    assert web.get("/api/record?by=month").json()["baselines"][0]["by_period"] == {}
    [baseline] = web.get("/api/record?by=week").json()["baselines"]
    assert baseline["by_period"] == example["baselines"][0]["by_period"]


def test_a_player_is_found_by_any_part_of_the_name(web: WebProcess, league: League, kept_pool: Pool) -> None:
    """A sign of SQL's patterns that finds everybody; a search that begins at the beginning."""
    names = [row[0] for row in rows(kept_pool, "select player from player_stats")]
    inner = names[0][2:5]
    for part in (inner.lower(), "%", "_", "a", "\\", "é", "0%"):
        found = {c["player"] for c in everything(web, f"/api/players?search={quote(part)}&limit=200")}
        assert found == {name for name in names if part.upper() in name}, part
        assert found or part == "_"
        assert found != set(names), part
    assert len(everything(web, "/api/players?search=&limit=200")) == len(names)


def test_a_players_record_by_opponent_is_that_of_the_matches(web: WebProcess, league: League) -> None:
    """A meeting counted for the wrong side, or the rarest opponents instead of the most met."""
    name = league[1]["a"]
    met: dict[str, list[int]] = {}
    for m in everything(web, f"/api/matches?player={quote(name)}&status=final&limit=200"):
        margin = m["score_a"] - m["score_b"]
        mine, other = (margin, m["player_b"]) if m["player_a"] == name else (-margin, m["player_a"])
        met.setdefault(other, []).append(mine)
    shown = web.get(f"/api/players/{quote(name)}").json()["by_opponent"]
    expected = sorted(met, key=lambda other: (-len(met[other]), other))
    assert [o["opponent"] for o in shown] == expected[:50]
    for o in shown:
        margins = met[o["opponent"]]
        n, wins = len(margins), sum(margin > 0 for margin in margins)
        assert (o["matches"], o["wins"], o["win_share"]) == (n, wins, pytest.approx(wins / n))
        assert o["mean_margin"] == pytest.approx(sum(margins) / n)
        assert 0 <= o["win_low"] <= o["win_share"] <= o["win_high"] <= 1
        for end in (o["win_low"], o["win_high"]):  # the two shares that wins of n are just not apart from
            z = (o["win_share"] - end) / math.sqrt(end * (1 - end) / n) if 0 < end < 1 else 1.96
            assert abs(z) == pytest.approx(1.96, abs=1e-3)


def by_team(played: list[dict[str, Any]]) -> dict[str, list[tuple[str, int, int]]]:
    """(player, points for, points against) of each match of each team."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for m in played:
        for mine, theirs in (("a", "b"), ("b", "a")):
            one = (m[f"player_{mine}"], m[f"score_{mine}"], m[f"score_{theirs}"])
            found.setdefault(m[f"team_{mine}"], []).append(one)
    return found


def check(shown: dict[str, Any], played: list[tuple[str, int, int]]) -> None:
    """Figures of a record are those of its matches."""
    n, wins = len(played), sum(mine > theirs for _, mine, theirs in played)
    assert (shown["matches"], shown["wins"], shown["win_share"]) == (n, wins, pytest.approx(wins / n))
    assert shown["mean_margin"] == pytest.approx(sum(mine - theirs for _, mine, theirs in played) / n)
    assert shown["mean_total"] == pytest.approx(sum(mine + theirs for _, mine, theirs in played) / n)
    assert shown["win_low"] < shown["win_share"] < shown["win_high"] or wins in (0, n)


def test_teams_are_what_their_matches_and_the_filter_say(web: WebProcess, league: League, kept_pool: Pool) -> None:
    """A loss counted for the winner, a strength of a player, a team twice or left out."""
    now = league[1]["now"]
    refresh_statistics(kept_pool, now)
    played = by_team(everything(web, "/api/matches?status=final&limit=200"))
    board = everything(web, "/api/teams?limit=4")
    assert sorted(t["team"] for t in board) == sorted(played)
    assert [t["strength"] for t in board] == sorted((t["strength"] for t in board), reverse=True)
    names, means, covariance = bring_up_to_date(kept_pool, now).state.contrasts("teams")
    for t in board:
        check(t, played[t["team"]])
        i = names.index(t["team"])
        assert t["strength"] == pytest.approx(means[i], abs=1e-9)
        assert t["strength_sd"] == pytest.approx(math.sqrt(covariance[i, i]), abs=1e-9)
        low, high = t["strength"] - 1.2815516 * t["strength_sd"], t["strength"] + 1.2815516 * t["strength_sd"]
        assert (t["strength_low"], t["strength_high"]) == (pytest.approx(low), pytest.approx(high))
    streamed = csv.DictReader(io.StringIO(web.get("/api/teams?format=csv").text))
    assert [row["team"] for row in streamed] == [t["team"] for t in board]


def test_one_team_is_shown_whole(web: WebProcess, league: League, kept_pool: Pool) -> None:
    """Somebody else's matches with a team; fixtures of another one."""
    refresh_statistics(kept_pool, league[1]["now"])
    listed = everything(web, "/api/matches?status=final&limit=200")
    team, played = max(by_team(listed).items(), key=lambda one: len({player for player, _, _ in one[1]}))
    whole = web.get(f"/api/teams/{quote(team)}").json()
    assert whole["record"] == next(t for t in everything(web, "/api/teams") if t["team"] == team)
    members: dict[str, list[tuple[str, int, int]]] = {}
    for one in played:
        members.setdefault(one[0], []).append(one)
    expected = sorted(members, key=lambda player: (-len(members[player]), player))
    assert [m["player"] for m in whole["by_player"]] == expected[:50]
    for m in whole["by_player"]:
        check(m, members[m["player"]])
    mine = everything(web, f"/api/matches?team={quote(team)}&limit=200")
    assert whole["last"] == mine[:20]
    ahead = everything(web, "/api/upcoming-matches")
    names = [m["external_id"] for m in ahead if team in (m["team_a"], m["team_b"])]
    assert [m["external_id"] for m in whole["next"]] == names[:10]
    assert web.get("/api/teams/NOBODY").status_code == 404


def test_a_team_that_no_result_names_any_more_is_gone(league: League, pool: Pool) -> None:
    """A team of a result that was corrected, shown for ever."""
    now = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    with pool.connection() as connection, connection.transaction(force_rollback=True):
        connection.execute("update matches set team_a = 'MISTAKEN' where external_id = (select min(external_id) "
                           "from matches where status = 'final')")  # fmt: skip
        refresh_teams(connection, now, [])
        [(n, wins, strength)] = connection.execute(
            "select matches, wins, strength from team_stats where team = 'MISTAKEN'"
        ).fetchall()
        assert (n, wins in (0, 1), strength) == (1, True, None)
        connection.execute("update matches set team_a = 'Harbor Herons' where team_a = 'MISTAKEN'")
        refresh_teams(connection, now, [])
        for table in ("team_stats", "team_players"):
            assert not connection.execute(f"select 1 from {table} where team = 'MISTAKEN'".encode()).fetchall()
        [(sums, all_of_it)] = connection.execute(
            "select (select sum(matches) from team_stats), (select 2 * count(*) from matches where status = 'final')"
        ).fetchall()
        assert sums == all_of_it


def test_a_jobs_log_is_what_its_attempts_wrote(web: WebProcess, pool: Pool) -> None:
    """A line of another job or twice, attempts in disorder, an attempt that was handed back taken for one."""
    jobs = [str(row[0]) for row in rows(pool, """
        insert into job_queue (type, status, progress, result, rank, attempt, started_at, finished_at)
        select 'model_training', 'completed', 100, '{}', 0, 1, now() - make_interval(secs => n), now()
        from generate_series(10, 50, 20) as n returning id
    """)]  # fmt: skip
    written = [(1, 1, i, f"first {i}") for i in range(5)] + [(2, 1, i, f"again {i}") for i in range(3)]
    written += [(3, 2, 0, "=HYPERLINK(1)"), (3, 2, 1, "<script>")]
    begin = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    with pool.connection() as connection:
        for job_id in jobs[:2]:
            for token, attempt, number, line in reversed(written):
                connection.execute(
                    "insert into job_logs values (%s, %s, %s, %s, %s, %s)",
                    (job_id, token, number, attempt, begin + (100 * token + number) * SECOND, line),
                )
    shown = everything(web, f"/api/jobs/{jobs[0]}/log?limit=3")
    assert [(one["attempt"], one["line"]) for one in shown] == [(attempt, line) for _, attempt, _, line in written]
    seconds = [100 * token + number for token, _, number, _ in written]
    assert [dt.datetime.fromisoformat(one["at"]) for one in shown] == [begin + s * SECOND for s in seconds]
    streamed = csv.DictReader(io.StringIO(web.get(f"/api/jobs/{jobs[0]}/log?format=csv&limit=4").text))
    assert [row["line"].lstrip("'") for row in streamed] == [line for _, _, _, line in written]
    whole = web.get(f"/api/jobs/{jobs[0]}").json()
    assert whole["expected_seconds"] == pytest.approx(30, abs=0.1)
    told = [(a["attempt"], a["lines"], a["first_line_at"], a["last_line_at"]) for a in whole["attempts"]]
    assert told == [
        (1, 5, "2026-03-01T00:01:40Z", "2026-03-01T00:01:44Z"),
        (1, 3, "2026-03-01T00:03:20Z", "2026-03-01T00:03:22Z"),
        (2, 2, "2026-03-01T00:05:00Z", "2026-03-01T00:05:01Z"),
    ]  # fmt: skip
    assert everything(web, f"/api/jobs/{jobs[2]}/log") == web.get(f"/api/jobs/{jobs[2]}").json()["attempts"] == []
    assert web.get(f"/api/jobs/{uuid.uuid4()}/log").status_code == 404
    assert web.get(f"/api/jobs/{uuid.uuid4()}/log?format=csv").status_code == 404


def test_a_job_of_a_type_without_history_has_no_expected_time(web: WebProcess, pool: Pool) -> None:
    """A duration that somebody made up."""
    here = web.post("/api/ml/train").json()["job_status_url"]
    assert web.get(here).json()["expected_seconds"] is None


@pytest.mark.parametrize(("source", "simulated"), [("league", True), ("h2h-2025", False)])
def test_the_system_says_whether_its_league_is_simulated(
    shared_dsn: str, folder: Path, source: str, simulated: bool
) -> None:
    """Matches that nobody plays, shown as if somebody did."""
    one = WebProcess(shared_dsn, folder, TIPOFF_SOURCE=source, TIPOFF_LEAGUE_LABEL="a trial", TIPOFF_HORIZONS="5,60")
    try:
        status = one.get("/api/system/status").json()
        assert (status["source"], status["simulated"]) == (source, simulated)
        assert (status["league_label"], status["horizons"]) == ("a trial", [60, 5])
        assert one.get("/api/record/forecasts").json()["horizon"] == 5
    finally:
        assert one.stop() == 0


@pytest.fixture(scope="module")
def ahead(league: League, kept_pool: Pool) -> list[Fixture]:
    """1,100 fixtures from two hours ahead on, a minute apart, of everybody known, on four streams."""
    players = sorted(name for name in league[0].state.roster.players)
    teams = ["100%_Sure", "São Paulo", *league[0].state.roster.teams]
    begin = league[1]["now"] + 120 * MINUTE
    made = [
        Fixture(f"AHEAD {i:04d}", begin + i * MINUTE, players[i % len(players)],
                players[(i + 1 + i // len(players)) % len(players)], teams[i % len(teams)],
                teams[(i + 1) % len(teams)], f"Stream {i % 4}" if i % 5 else None)
        for i in range(1100)
    ]  # fmt: skip
    made = [f for f in made if f.player_a != f.player_b]
    with kept_pool.connection() as connection:
        see(connection, [(league[1]["now"], made)])
    return made


def test_fixtures_ahead_are_filtered_by_stream_and_search(web: WebProcess, ahead: list[Fixture]) -> None:
    """A sign of SQL's patterns that finds everything; a search of one side, or one that is particular about case."""
    one = ahead[7].player_a
    eventually(lambda: web.get("/api/upcoming-matches?limit=1").json()["total"] > 900, "the fixtures", 5.0)
    for query, wanted in {
        "stream=Stream%202": lambda f: f.stream == "Stream 2", "stream=stream%202": lambda f: f.stream == "stream 2",
        "search=%25_s": lambda f: "100%_Sure" in (f.team_a, f.team_b), "search=S%C3%A3o": lambda f: "São" in teams(f),
        f"search={quote(one[1:-1].lower())}": lambda f: one[1:-1] in f.player_a + "\n" + f.player_b
        or one[1:-1] in teams(f).upper(),
        "search=100&stream=Stream%203": lambda f: f.stream == "Stream 3"
        and "100" in teams(f) + f.player_a + f.player_b,
        f"player={quote(one)}&search=100": lambda f: one in (f.player_a, f.player_b)
        and "100" in teams(f) + f.player_a + f.player_b,
    }.items():  # fmt: skip
        found = everything(web, f"/api/upcoming-matches?{query}&limit=40")
        expected = [f.external_id for f in ahead if wanted(f)]
        assert [m["external_id"] for m in found if m["external_id"].startswith("AHEAD")] == expected, query
        assert 0 < len(expected) < len(ahead) or query == "stream=stream%202"
    page = web.get("/api/upcoming-matches?stream=Stream%202&limit=3").json()
    assert {f"Stream {i}" for i in range(4)} <= set(page["streams"])
    assert None not in page["streams"]
    assert page["streams"] == sorted(page["streams"])
    assert page["total"] == 1000


def teams(fixture: Fixture) -> str:
    """Both, apart."""
    return f"{fixture.team_a}\n{fixture.team_b}"


def test_fixtures_are_filtered_by_how_sure_the_forecast_is(
    web: WebProcess, ahead: list[Fixture], kept_pool: Pool
) -> None:
    """A page that leaves out or repeats a fixture where pages meet; a search that goes on for ever, or ends early."""
    eventually(lambda: web.get("/api/upcoming-matches?limit=2").json()["total"] > 900, "the fixtures", 5.0)
    listed = everything(web, "/api/upcoming-matches?limit=200")
    assert len(listed) > 1000
    for confidence in (0.5, 0.55, 0.65, 0.75):
        sure = [m["external_id"] for m in listed if max(m["forecast"]["p_a"], 1 - m["forecast"]["p_a"]) >= confidence]
        for limit in (67, 200):
            found = everything(web, f"/api/upcoming-matches?confidence={confidence}&limit={limit}")
            assert [m["external_id"] for m in found] == sure, (confidence, limit)
        assert sure
    first = web.get("/api/upcoming-matches?confidence=1&limit=5").json()
    assert (first["items"], first["next_cursor"] is None) == ([], False)
    rest = web.get(f"/api/upcoming-matches?confidence=1&limit=5&cursor={first['next_cursor']}").json()
    assert (rest["items"], rest["next_cursor"]) == ([], None)
    streamed = csv.DictReader(io.StringIO(web.get("/api/upcoming-matches?confidence=0.65&format=csv").text))
    sure = [m["external_id"] for m in listed if max(m["forecast"]["p_a"], 1 - m["forecast"]["p_a"]) >= 0.65]
    assert [row["external_id"] for row in streamed] == sure
    for wrong in ("0.49", "1.01", "sure"):
        assert web.get(f"/api/upcoming-matches?confidence={wrong}").status_code == 422
