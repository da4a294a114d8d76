"""The live filter against a replay of the log of arrivals."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import random

import pytest

from tests.integration.test_ingest import bring
from tests.simulated import simulate, with_newcomers
from tests.wire import payload, row
from tipoff.domain.match import KNOWABLE_AFTER, Match
from tipoff.forecast.model import Model
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import state_after
from tipoff.forecast.table import in_order
from tipoff.pipeline.history import History
from tipoff.pipeline.predict import predict
from tipoff.pipeline.state import bring_up_to_date, replay
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.storage import matches as stored
from tipoff.storage import models
from tipoff.storage.pool import Pool

MINUTE = dt.timedelta(minutes=1)


def wire_row(match: Match, **changes: object) -> dict[str, object]:
    """A match as the league would send it."""
    return row(
        start=match.start, externalId=match.external_id, participantAName=match.player_a,
        participantBName=match.player_b, teamAName=match.team_a, teamBName=match.team_b,
        streamName=match.stream, teamAScore=match.score_a, teamBScore=match.score_b,
    ) | changes  # fmt: skip


def activate(pool: Pool) -> None:
    """A model with the built-in values, as if the gate had let it pass."""
    files = Model(BUILT_IN, "2026-03-01T00:00:00+00:00", {}, {}, {}, state_after(BUILT_IN, [])).files()
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    with pool.connection() as connection, connection.transaction():
        models.register(connection, files.sha256, files.document, now)
        models.rule(connection, files.sha256, True, "a test", {})
        models.activate(connection, files.sha256, now)


def arriving(matches: list[Match], rng: random.Random) -> list[tuple[dt.datetime, dict[str, object]]]:
    """Results with their times: most after half an hour, some late, twice, or corrected later."""
    events = []
    for match in matches:
        at = match.start + rng.randint(24, 32) * MINUTE
        if rng.random() < 0.03:
            at += rng.randint(60, 400) * MINUTE
        events.append((at, wire_row(match)))
        if rng.random() < 0.05:
            events.append((at + rng.randint(1, 90) * MINUTE, wire_row(match)))
        if rng.random() < 0.01:
            void = rng.random() < 0.5
            new = {"teamAScore": 0, "teamBScore": 0} if void else {"teamAScore": 91}
            events.append((at + rng.randint(1, 300) * MINUTE, wire_row(match, **new)))
    return sorted(events, key=lambda event: event[0])


def test_live_equals_the_replay_of_its_log(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 results late, twice, out of order and corrected: numbers that depend on how they arrived."""
    monkeypatch.setattr(stored, "PART", 70)
    activate(pool)
    matches = with_newcomers(in_order(simulate(8)[0]))
    assert len(matches) > 2000
    matches, fixtures = matches[:2000], matches[2000:2010]
    events = arriving(matches, random.Random(3))
    live: dict[int, list[tuple[float, ...]]] = {}
    rebuilt = set()
    while events:
        upto = events[0][0] + 45 * MINUTE
        batch = [event for event in events if event[0] <= upto]
        events = events[len(batch) :]
        latest = {str(r["externalId"]): r for _, r in batch}
        bring(pool, payload(list(latest.values()), upto, upto.date()))
        now = bring_up_to_date(pool, upto)
        rebuilt.add(now.rebuilt)
        live[now.last_arrival_id] = [dataclasses.astuple(d) for d in now.state.forecast(fixtures)]
    assert rebuilt == {True, False}
    with pool.connection() as connection:
        log = list(itertools.chain(*stored.arrivals_after(connection, 0)))
    assert len(log) > 2000
    checked = 0
    believed = {}
    for arrival in log:
        believed[arrival.match.external_id] = arrival.match
        if arrival.arrival_id not in live:
            continue
        if checked % 12 == 0 or arrival is log[-1]:
            finals = [m for m in believed.values() if m.status == "final"]
            again = [dataclasses.astuple(d) for d in state_after(BUILT_IN, finals).forecast(fixtures)]
            for one, other in zip(again, live[arrival.arrival_id], strict=True):
                assert max(abs(x - y) for x, y in zip(one, other, strict=True)) <= 1e-9
        checked += 1
    assert checked == len(live)


def test_replay_follows_the_log(pool: Pool) -> None:
    """A replay that ignores corrections."""
    activate(pool)
    matches = in_order(simulate(1)[0])[:20]
    end = matches[-1].start + 60 * MINUTE
    bring(pool, payload([wire_row(m) for m in matches], end))
    bring(pool, payload([wire_row(matches[3], teamAScore=0, teamBScore=0)], end + MINUTE))
    with pool.connection() as connection:
        states = [state for _, state in replay(BUILT_IN, itertools.chain(*stored.arrivals_after(connection, 0)))]
    assert [states[0].matches, states[19].matches, states[20].matches] == [1, 20, 19]
    assert states[-1].to_bytes() == bring_up_to_date(pool, end).state.to_bytes()


def test_a_history_stays_as_it_was(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training whose results change under its hands, or that reads a long history in one piece."""
    monkeypatch.setattr(stored, "PART", 7)
    matches = in_order(simulate(1)[0])[:40]
    end = matches[-1].start + 60 * MINUTE
    bring(pool, payload([wire_row(m) for m in matches[:30]], end))
    later = (matches[-1].start + 5 * MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")
    corrected = [
        wire_row(matches[3], teamAScore=0, teamBScore=0), wire_row(matches[4], teamAScore=99),
        wire_row(matches[5], startDate=later),
    ]  # fmt: skip
    bring(pool, payload(corrected, end + MINUTE))
    with pool.connection() as connection:
        history = History.known_at(pool, connection, end + 40 * MINUTE)
        believed = stored.results(connection)
    assert history.recent() == believed
    assert len(believed) == 29
    bring(pool, payload([wire_row(matches[4], teamAScore=0, teamBScore=0)], end + 2 * MINUTE))
    bring(pool, payload([wire_row(m) for m in matches[30:]], end + 3 * MINUTE))
    assert history.recent() == believed
    assert history.learned(BUILT_IN).to_bytes() == state_after(BUILT_IN, believed).to_bytes()
    with pool.connection() as connection:
        now = list(itertools.chain(*stored.results_in_parts(connection)))
        assert now == stored.results(connection)
        early = History.known_at(pool, connection, matches[10].start + KNOWABLE_AFTER)
    assert len(now) == 38
    assert early.recent() == [m for m in now if m.start <= matches[10].start]


def test_a_match_moved_to_a_later_start_is_not_learned_twice(pool: Pool) -> None:
    """A correction that looks new because it now sorts last."""
    activate(pool)
    matches = in_order(simulate(1)[0])[:20]
    end = matches[-1].start + 60 * MINUTE
    bring(pool, payload([wire_row(m) for m in matches], end))
    assert bring_up_to_date(pool, end).state.matches == 20
    later = (matches[-1].start + 5 * MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")
    bring(pool, payload([wire_row(matches[3], startDate=later)], end + MINUTE))
    moved = bring_up_to_date(pool, end + MINUTE)
    assert (moved.rebuilt, moved.state.matches) == (True, 20)


def test_predict_needs_fixtures_that_have_not_begun(pool: Pool) -> None:
    """A forecast of a match that is on."""
    activate(pool)
    matches = in_order(simulate(2)[0])
    noon = matches[200].start
    waiting = {"matchStatus": None, "teamAScore": None, "teamBScore": None}
    rows = [wire_row(m) for m in matches[:150]] + [wire_row(m, **waiting) for m in matches[195:210]]
    bring(pool, payload(rows, matches[194].start))
    refresh_statistics(pool, noon)
    _, predicted = predict(pool, noon)
    assert [p.fixture.external_id for p in predicted] == [m.external_id for m in matches[195:210] if m.start > noon]
    assert all(0 < p.forecast.p_a < 1 for p in predicted)
    with pool.connection() as connection:
        row_count = connection.execute("select count(*) from player_stats where strength is not null").fetchone()
    assert row_count is not None
    assert row_count[0] > 10
