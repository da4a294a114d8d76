"""The record: sealed live and in a replay, graded, corrected, and recomputed by somebody who trusts nobody."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import math
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.drifting import promise
from tests.integration.test_ingest import bring
from tests.integration.test_ledger import now_of
from tests.integration.test_live import activate, wire_row
from tests.simulated import BEGIN, simulate
from tests.wire import fixture, payload, row
from tipoff.domain.match import Match
from tipoff.domain.quote import Quote
from tipoff.forecast.baselines import EloMargin
from tipoff.forecast.explain import explain
from tipoff.forecast.interval import wilson
from tipoff.forecast.table import build_table
from tipoff.ledger.chain import canonical
from tipoff.ledger.drift import watch
from tipoff.ledger.export import write_export
from tipoff.ledger.record import Sealed, bins, figures
from tipoff.pipeline.predict import predict
from tipoff.pipeline.replay import replay_ledger
from tipoff.pipeline.seal import grade_known, seal_due
from tipoff.pipeline.state import bring_up_to_date
from tipoff.pipeline.watch import drift, record, refresh_performance, verify_database
from tipoff.storage import ledger, models, quotes
from tipoff.storage import matches as all_matches
from tipoff.storage.pool import Pool

DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
HORIZONS = [30, 2]


def bring_days(pool: Pool, matches: list[Match], seen: dt.datetime, changes: dict[str, dict[str, Any]]) -> None:
    """Every day's payload as the league would send it at `seen`; `changes` replace keys of some rows."""
    for day in sorted({m.start.date() for m in matches}):
        rows = [wire_row(m, **changes.get(m.external_id, {})) for m in matches if m.start.date() == day]
        bring(pool, payload(rows, seen, day))


@pytest.fixture
def replayed(pool: Pool) -> tuple[list[Match], dt.datetime]:
    """Eight simulated days; the last three sealed and graded as a replay; voids, a correction, a gap."""
    activate(pool)
    matches = simulate(8)[0]
    now = BEGIN + 8 * DAY
    late = [m for m in matches if m.start > BEGIN + 6 * DAY]
    void, corrected, gone = late[10], late[20], late[30:35]
    present = [m for m in matches if m not in gone]
    bring_days(pool, present, now, {void.external_id: {"teamAScore": 0, "teamBScore": 0}})
    with pool.connection() as connection:
        model = models.active(connection)
    assert model is not None
    done = replay_ledger(pool, model, HORIZONS, BEGIN + 5 * DAY, now, "test", "test")
    assert done.sealed > 1400
    assert done.refused == {}
    again = {corrected.external_id: {"teamAScore": 99, "teamBScore": 30},
             void.external_id: {"teamAScore": 0, "teamBScore": 0}}  # fmt: skip
    bring_days(pool, matches, now + MINUTE, again)
    assert grade_known(pool, now + 2 * MINUTE) == 2
    assert grade_known(pool, now + 2 * MINUTE) == 0
    return [*gone, void, corrected], now


def independent(rows: list[dict[str, Any]], export: Path) -> dict[str, Any]:
    """The record from raw rows of the league and the exported ledger; shares no code with `tipoff record`."""
    results = {}
    for r in rows:
        a, b = r["teamAScore"], r["teamBScore"]
        if r["matchStatus"] == "MATCH_ENDED" and a != b and not r["isCancelled"]:
            results[r["externalId"]] = (r["startDate"], a, b)
    sealed: dict[tuple[str, int], dict[str, Any]] = {}
    opened = ""
    for line in gzip.decompress(export.read_bytes()).splitlines():
        content = json.loads(json.loads(line)["content"])
        opened = opened or content["at"]
        if content["kind"] == "seal":
            sealed[content["body"]["external_id"], content["body"]["horizon"]] = content["body"]["forecast"]
    answer: dict[str, Any] = {}
    for h in HORIZONS:
        begin = dt.datetime.fromisoformat(opened) + dt.timedelta(minutes=h)
        played = [k for k, (start, _, _) in results.items() if dt.datetime.fromisoformat(start) >= begin]
        both = [(sealed[k, h], results[k]) for k, hh in sealed if hh == h and k in results]
        n = len(both)
        loss = brier = right = margin = total = inside_m = inside_t = 0.0
        counts = [[0, 0.0, 0] for _ in range(10)]
        for f, (_, a, b) in both:
            p, won = f["p_a"], a > b
            loss -= math.log(p if won else 1 - p)
            brier += (p - won) ** 2
            right += (p > 0.5) == won
            margin += abs(a - b - f["margin_mean"])
            total += abs(a + b - f["total_mean"])
            inside_m += abs(a - b - f["margin_mean"]) <= 1.2815515655446004 * f["margin_sd"]
            inside_t += abs(a + b - f["total_mean"]) <= 1.2815515655446004 * f["total_sd"]
            here = counts[min(int(p * 10), 9)]
            here[0] += 1
            here[1] += p
            here[2] += won
        answer[str(h)] = {
            "n": n, "log_loss": loss / n, "brier": brier / n, "hit": right / n, "margin_error": margin / n,
            "total_error": total / n, "margin_inside": inside_m / n, "total_inside": inside_t / n,
            "played": len(played), "sealed": sum((k, h) in sealed for k in played),
            "bins": [c for c in counts if c[0]],
        }  # fmt: skip
    return answer


def elo_by_day(pool: Pool) -> dict[str, list[float]]:
    """What Elo would have lost on each match that was sealed two minutes before, by day of its start."""
    with pool.connection() as connection:
        results = list(all_matches.results(connection))
        sealed = connection.execute("select external_id from match_predictions where horizon = 2").fetchall()
    ids = {row[0] for row in sealed} & {m.external_id for m in results}
    first = min(m.start for m in results if m.external_id in ids)
    table = build_table(results)
    made = EloMargin().fit(build_table([m for m in results if m.start < first])).walk(table, 2)
    said = dict(zip(table.ids, made.p_a.tolist(), strict=True))
    found: dict[str, list[float]] = {}
    for m in results:
        if m.external_id in ids:
            p = said[m.external_id] if (m.score_a or 0) > (m.score_b or 0) else 1 - said[m.external_id]
            found.setdefault(m.start.date().isoformat(), []).append(-math.log(p))
    return found


def known_then(pool: Pool) -> dict[str, dict[str, tuple[int, float, float]]]:
    """By group: how many were sealed two minutes before, the share of margins in 80 % intervals, mean z of totals."""
    with pool.connection() as connection:
        results = list(all_matches.results(connection))
        columns = "external_id, margin_mean, margin_sd, total_mean, total_sd"
        sealed = connection.execute(f"select {columns} from match_predictions where horizon = 2".encode()).fetchall()
    said = {row[0]: row[1:] for row in sealed}
    found: dict[str, dict[str, list[tuple[float, float]]]] = {"experience": {}, "position": {}}
    for m in results:
        if m.external_id not in said:
            continue
        counts, ks = [], []
        for player in (m.player_a, m.player_b):
            starts = [r.start for r in results
                      if player in (r.player_a, r.player_b) and r.start <= m.start - 32 * MINUTE]  # fmt: skip
            k, later = 0, m.start
            for start in sorted(starts, reverse=True):
                if later - start > 240 * MINUTE:
                    break
                k, later = k + 1, start
            counts.append(len(starts))
            ks.append(k)
        a, b = m.score_a or 0, m.score_b or 0
        mean, sd, total, total_sd = said[m.external_id]
        one = (abs(a - b - mean) <= 1.2815515655446004 * sd, (a + b - total) / total_sd)
        for kind, value, bounds in (("experience", min(counts), (5, 20, 100)), ("position", sum(ks) / 2, (1, 5, 10))):
            low = max((bound for bound in bounds if value >= bound), default=None)
            high = min((bound for bound in bounds if value < bound), default=None)
            name = f"{low} or more" if high is None else f"under {high}" if low is None else f"{low} to under {high}"
            found[kind].setdefault(name, []).append(one)
    return {
        kind: {name: (len(v), *(sum(part) / len(v) for part in zip(*v, strict=True))) for name, v in groups.items()}
        for kind, groups in found.items()
    }  # fmt: skip


def test_the_record_equals_an_independent_recomputation(
    pool: Pool, replayed: tuple[list[Match], dt.datetime], tmp_path: Path
) -> None:
    """Losses left out, voids counted, a correction ignored, matches without a forecast forgotten."""
    special, now = replayed
    made = record(pool, HORIZONS, now)
    assert made is not None
    assert made.clock == "replay"
    export = tmp_path / "ledger.jsonl.gz"
    with pool.connection() as connection:
        write_export(export, ledger.rows(connection))
        bodies = connection.execute(
            "select body from raw_payloads r where last_fetched_at = "
            "(select max(last_fetched_at) from raw_payloads o where o.day = r.day)"
        ).fetchall()
    rows = [r for (body,) in bodies for r in json.loads(zlib.decompress(body))]
    expected = independent(rows, export)
    for coverage in made.coverage:
        theirs = expected[str(coverage.horizon)]
        ours = made.by_horizon[str(coverage.horizon)]
        assert (ours.n, coverage.played, coverage.sealed) == (theirs["n"], theirs["played"], theirs["sealed"])
        for name, estimate in ours.measures.items():
            if name in theirs:
                assert estimate.mean == pytest.approx(theirs[name], abs=1e-9), name
        assert {m.external_id for m in special[:5]} == set(coverage.missing)
    near = expected["2"]
    assert [(b.n, round(b.mean_forecast * b.n, 6), round(b.share_won * b.n)) for b in made.bins] == [
        (n, pytest.approx(p, abs=1e-6), won) for n, p, won in near["bins"]
    ]
    assert made.statuses["void"] == 2
    assert [c["external_id"] for c in made.corrections] == [special[6].external_id] * 2
    first, second = made.corrections[0]["grades"]
    assert first["scores"]["log_loss"] != second["scores"]["log_loss"] or first["result"] != second["result"]
    assert second["result"]["score_a"] == 99
    assert sum(f.n for f in made.by_period.values()) == made.by_horizon["2"].n
    assert sum(f.n for f in made.by_confidence.values()) == made.by_horizon["2"].n
    assert [b.name for b in made.baselines] == ["constant", "Elo with margin"]
    assert made.baselines[0].log_loss.mean == pytest.approx(math.log(2))
    for baseline in made.baselines:
        assert {day: e.n for day, e in baseline.by_period.items()} == {d: f.n for d, f in made.by_period.items()}
    assert all(e.mean == pytest.approx(math.log(2)) for e in made.baselines[0].by_period.values())
    for day, losses in elo_by_day(pool).items():
        assert made.baselines[1].by_period[day].mean == pytest.approx(sum(losses) / len(losses), abs=1e-9), day
    for kind, theirs in known_then(pool).items():
        groups = {g.name: (g.n, g.margin.inside.mean, g.total.pit.z_mean.mean) for g in made.groups[kind]}
        assert groups == {name: pytest.approx(figures) for name, figures in theirs.items()}
        assert len(groups) > 2
    assert [g.n for g in made.groups["level"]] == pytest.approx([made.by_horizon["2"].n / 3] * 3, abs=1)
    assert verify_database(pool)[0].broken is None


def test_a_replay_goes_on_where_it_stopped(pool: Pool, replayed: tuple[list[Match], dt.datetime]) -> None:
    """A second run that seals again, or begins anew."""
    _, now = replayed
    with pool.connection() as connection:
        before = ledger.head(connection)
        model = models.active(connection)
    assert model is not None
    assert before is not None
    done = replay_ledger(pool, model, HORIZONS, BEGIN + 5 * DAY, now + 5 * MINUTE, "test", "test")
    assert (done.sealed, done.graded) == (0, 0)
    with pool.connection() as connection:
        assert ledger.head(connection) == before


def test_posted_prices_appear_in_the_record(pool: Pool, replayed: tuple[list[Match], dt.datetime]) -> None:
    """Prices stored and never compared, or twice; no record at all because an earlier version stored 107.25."""
    special, now = replayed
    match = special[6]
    made = [
        Quote(match.external_id, "Book", "total", 107.5, 1.9, 1.9, match.start - 5 * MINUTE),
        Quote(match.external_id, "Book", "winner", None, 1.5, 2.6, match.start - 5 * MINUTE),
        Quote(match.external_id, "Book", "winner", None, 1.01, 20.0, match.start + 5 * MINUTE),
        Quote(match.external_id, "Book", "total", 107.25, 1.9, 1.9, match.start - 3 * MINUTE),
        Quote(match.external_id, "Book", "spread", None, 1.9, 1.9, match.start - 3 * MINUTE),
        Quote(match.external_id, "Book", "winner", None, 1.9, math.inf, match.start - 3 * MINUTE),
    ]
    with pool.connection() as connection:
        assert quotes.keep(connection, made) == (6, [])
        assert quotes.keep(connection, made) == (0, [])
    found = record(pool, HORIZONS, now)
    assert found is not None
    assert [(p.market, p.matches) for p in found.prices] == [("total", 1), ("winner", 1)]
    assert found.prices[1].price_log_loss.mean < 0.6


def test_performance_has_a_row_a_model_and_day(pool: Pool, replayed: tuple[list[Match], dt.datetime]) -> None:
    """Days that are missing, or a day's row made from half the day."""
    _, now = replayed
    days = refresh_performance(pool, HORIZONS, now)
    made = record(pool, HORIZONS, now)
    assert made is not None
    assert days == len(made.by_period) >= 3
    refresh_performance(pool, HORIZONS, now, now - DAY)
    with pool.connection() as connection:
        rows = connection.execute("select day::text, matches, log_loss from model_performance").fetchall()
        scored = models.scored(connection)
    assert {day: n for day, n, _ in rows} == {day: f.n for day, f in made.by_period.items()}
    for day, _, loss in rows:
        assert loss == pytest.approx(made.by_period[day].measures["log_loss"].mean, abs=1e-9)
    [summary] = scored.values()
    assert summary["log_loss"] == pytest.approx(made.by_horizon["2"].measures["log_loss"].mean, abs=1e-9)
    assert drift(pool, HORIZONS, now) == []  # this model promised nothing


def test_live_sealing_and_grading(pool: Pool) -> None:
    """The live path: sealed at its horizon by the database's clock, from what it knew, once; graded by id."""
    activate(pool)
    history = simulate(3)[0]
    now = now_of(pool)
    shift = now - dt.timedelta(hours=2) - history[-1].start
    known = [wire_row(m, startDate=(m.start + shift).strftime("%Y-%m-%dT%H:%M:%SZ")) for m in history]
    a, b = history[-1].player_a, history[-1].player_b
    soon = [
        fixture(900, now + 1.5 * MINUTE, participantAName=a, participantBName=b, externalId="SOON"),
        fixture(901, now + 20 * MINUTE, participantAName=a, participantBName=b, externalId="LATER"),
        fixture(902, now + 90 * MINUTE, participantAName=a, participantBName=b, externalId="MUCH LATER"),
    ]
    bring(pool, payload([*known, *soon], now, now.date()))
    live = bring_up_to_date(pool, now)
    assert live.state.matches > 700
    report = seal_due(pool, live, HORIZONS, "test")
    assert (report.sealed, report.refused) == (2, {})
    assert seal_due(pool, live, HORIZONS, "test").sealed == 0
    with pool.connection() as connection:
        rows = [ledger.content(r) for r in ledger.rows(connection)]
        ratings = connection.execute(
            "select player, strength, strength_sd, matches, last_arrival_id from player_ratings"
        ).fetchall()
    bodies = {r["body"]["external_id"]: r["body"] for r in rows if r["kind"] == "seal"}
    assert {k: v["horizon"] for k, v in bodies.items()} == {"SOON": 2, "LATER": 30}
    _, predicted = predict(pool, now)
    strengths = {name: (mean, sd) for name, mean, sd in live.state.strengths()}
    for p in predicted[:2]:
        body = bodies[p.fixture.external_id]
        assert body["forecast"]["p_a"] == p.forecast.p_a
        assert body["data"] == {
            "last_arrival_id": live.last_arrival_id, "results": live.state.matches, "sha256": live.data_sha256,
        }  # fmt: skip
        assert body["markets"]["winner"]["over"] == p.forecast.p_a
        [why] = explain(live.state, [p.fixture])
        players = next(part for part in why.parts if part.name == "players")
        assert body["ratings"]["a"] == list(strengths[a])
        apart = body["ratings"]["a"][0] - body["ratings"]["b"][0]
        assert next(live.state.parts([p.fixture])).scale[0] * apart == pytest.approx(players.margin, abs=1e-9)
    assert {(name, mean, sd) for name, mean, sd, _, _ in ratings} == {(p, *strengths[p]) for p in (a, b)}
    assert all(n == live.state.known_of(p) and last == live.last_arrival_id for p, _, _, n, last in ratings)
    over = row(900, start=now + 1.5 * MINUTE, participantAName=a, participantBName=b, externalId="SOON")
    bring(pool, payload([over], now_of(pool), now.date()))
    # the league says it began a minute ago: sealed after that, so it does not count
    assert grade_known(pool) == 1
    early = {**over, "startDate": (now - MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")}
    bring(pool, payload([early], now_of(pool), now.date()))
    assert grade_known(pool) == 1
    with pool.connection() as connection:
        grades = [ledger.content(r)["body"] for r in ledger.rows(connection) if '"kind":"grade"' in r.content]
    assert [g["status"] for g in grades] == ["graded", "late"]
    assert grades[1]["scores"] is None
    invented = canonical({**grades[0], "result": {**grades[0]["result"], "score_a": 99}})
    with pool.connection() as connection:
        assert ledger.grade(connection, [invented]) == ["refused: not the result believed now"]
        assert ledger.grade(connection, [canonical(grades[1])]) == ["graded before"]
    made = record(pool, HORIZONS, now_of(pool) + DAY)
    assert made is not None
    assert made.statuses["late"] == 1
    assert made.by_horizon["2"].n == 0


def graded(n: int, bias: float, seed: int = 3) -> list[Sealed]:
    """Graded forecasts over seven days whose probabilities are off by `bias`."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        p = rng.uniform(0.3, 0.7)
        margin = rng.gauss(0, 9.5)
        score = (60, 50) if rng.random() < p else (50, 60)
        start = BEGIN + i * dt.timedelta(minutes=10080 / n)
        made.append(
            Sealed(i, str(i), 2, start, start - MINUTE, "m" * 64,
                   (min(max(p + bias * (1 if margin > 0 else -1), 0.02), 0.98), margin, 9.5, 110.0, 11.0),
                   "graded", *score, ())
        )  # fmt: skip
    return made


def test_drift_is_seen_and_calm_is_not_drift() -> None:
    """A model that has gone wrong unseen for weeks; an alarm every day."""
    calm = {d.measure: d for d in watch(graded(1500, 0.0), promise(0.67))}
    assert not calm["log_loss"].drifted
    assert not calm["ece"].drifted
    wrong = {d.measure: d for d in watch(graded(1500, 0.35), promise(0.67))}
    assert wrong["log_loss"].drifted
    assert wrong["ece"].drifted
    assert watch(graded(100, 0.35), promise(0.67)) == []


def test_coverage_drifts_too() -> None:
    """Intervals that hold half of what they say."""
    narrow = [
        Sealed(s.seq, s.external_id, 2, s.start, s.sealed_at, s.model, (s.numbers[0], 0.0, 3.0, 110.0, 1.0),
               "graded", s.score_a, s.score_b, ())
        for s in graded(800, 0.0)
    ]  # fmt: skip
    found = {d.measure: d.drifted for d in watch(narrow, promise(0.67))}
    assert found["margin_inside"]


def test_figures_of_nothing_are_nothing() -> None:
    """A division by zero on the first day."""
    assert figures([]).n == 0
    assert bins([]) == []
    low, high = wilson(0.0, 5)
    assert low == pytest.approx(0, abs=1e-12)
    assert 0.3 < high < 0.6
