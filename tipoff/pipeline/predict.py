"""Forecast every known fixture that has not started."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from tipoff.domain.match import Fixture
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.pipeline.state import Live, bring_up_to_date
from tipoff.storage import fixtures
from tipoff.storage.pool import Pool


@dataclasses.dataclass(frozen=True, slots=True)
class Predicted:
    """A fixture and its forecast, made at `as_of` by `model`."""

    fixture: Fixture
    forecast: ScoreDistribution
    as_of: dt.datetime
    model: str

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints of it: probabilities, points, fair decimal odds."""
        f, low_high = self.forecast, self.forecast.total_interval()
        return {
            "external_id": self.fixture.external_id,
            "start": self.fixture.start.isoformat(),
            "player_a": self.fixture.player_a,
            "player_b": self.fixture.player_b,
            "team_a": self.fixture.team_a,
            "team_b": self.fixture.team_b,
            "stream": self.fixture.stream,
            "p_a": f.p_a,
            "mean_a": f.mean_a,
            "mean_b": f.mean_b,
            "margin_mean": f.margin_mean,
            "margin_sd": f.margin_sd,
            "total_mean": f.total_mean,
            "total_sd": f.total_sd,
            "total_low_80": low_high[0],
            "total_high_80": low_high[1],
            "fair_odds_a": 1 / f.p_a,
            "fair_odds_b": 1 / (1 - f.p_a),
            "as_of": self.as_of.isoformat(),
            "model": self.model,
        }


def predict(pool: Pool, now: dt.datetime, older: bool = False) -> tuple[Live, list[Predicted]]:
    """Bring the filter up to date (`older` results too if asked) and forecast; soonest first.

    Raises InputError without a model.
    """
    live = bring_up_to_date(pool, now, older)
    with pool.connection() as connection:
        known = fixtures.scheduled_after(connection, now)
    made = live.state.forecast(known)
    return live, [Predicted(f, d, now, live.model) for f, d in zip(known, made, strict=True)]
