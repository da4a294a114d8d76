"""Days of sealed forecasts that were graded, honest ones or with upsets, in a ledger that is a replay."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from tests.sealing import MINUTE, waiting
from tipoff.domain.match import Match, MatchStatus
from tipoff.domain.payload import RawPayload
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.ledger.seal import Knowledge, seal_body
from tipoff.pipeline.seal import grade_known
from tipoff.storage import ledger, matches, payloads
from tipoff.storage.pool import Pool

DAY = dt.timedelta(days=1)


def promise(mean: float) -> dict[str, Any]:
    """A model's report that promises this log loss."""
    ends = {"mean": mean, "low": mean - 0.005, "high": mean + 0.005, "n": 5000}
    inside = {"mean": 0.8, "low": 0.79, "high": 0.81, "n": 5000}
    return {
        "models": [{"ece": 0.01, "measures": {"log_loss": ends, "margin_inside": inside, "total_inside": inside}}]
    }


def play(pool: Pool, model: str, day: dt.datetime, upsets: float, seed: int, count: int = 150) -> None:
    """Seal and grade a day of matches as that model; the share `upsets` goes the other way than was thought."""
    rng = random.Random(seed)
    starts = [day + i * 5 * MINUTE for i in range(count)]
    knowledge = Knowledge(model, "test", 0, "0" * 64, 0)
    results = []
    with pool.connection() as connection:
        fixtures = waiting(connection, starts, f"{day:%m%d}-")
    for fixture in fixtures:
        thought, total = rng.choice((-8.0, 8.0)), rng.gauss(108, 11)
        body = seal_body(fixture, 2, ScoreDistribution(thought, 9.5, 108.0, 11.0), knowledge, {})
        with pool.connection() as connection:
            [outcome] = ledger.seal(connection, [body], fixture.start - 2 * MINUTE)
        assert outcome.isdigit(), outcome
        truth = -thought if rng.random() < upsets else thought
        margin = round(rng.gauss(truth, 9.5)) or 1
        a = round((total + margin) / 2)
        results.append(Match(
            fixture.external_id, fixture.start, fixture.player_a, fixture.player_b, fixture.team_a, fixture.team_b,
            None, MatchStatus.FINAL, a, a - margin,
        ))  # fmt: skip
    seen = starts[-1] + 40 * MINUTE
    with pool.connection() as connection:
        [number] = payloads.keep(connection, [RawPayload("test", "h2h-2026", "schedule", day.date(), seen, b"[]")])
        matches.record(connection, [(number, seen, results)])
        payloads.mark_ingested(connection, [number], seen)
    assert grade_known(pool, seen) == count
