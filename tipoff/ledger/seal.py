"""What is sealed: who plays, by which model, from which data, and what it says."""

from __future__ import annotations

import dataclasses
from typing import Any

from tipoff.domain.match import Fixture
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.markets import sealed_markets
from tipoff.ledger.chain import canonical, timestamp


@dataclasses.dataclass(frozen=True, slots=True)
class Knowledge:
    """What a forecast was made from: the model, the code, and the results it knew.

    `data_sha256` is chained over the log of arrivals until `last_arrival_id`.
    """

    model: str
    code_version: str
    last_arrival_id: int
    data_sha256: str
    results: int


def seal_body(
    fixture: Fixture, horizon: int, forecast: ScoreDistribution, knowledge: Knowledge,
    ratings: dict[str, tuple[float, float]],
) -> str:  # fmt: skip
    """The canonical body of a sealed forecast; `ratings` are (strength, deviation) of known players, in points."""
    body: dict[str, Any] = {
        "external_id": fixture.external_id,
        "start": timestamp(fixture.start),
        "horizon": horizon,
        "player_a": fixture.player_a,
        "player_b": fixture.player_b,
        "team_a": fixture.team_a,
        "team_b": fixture.team_b,
        "stream": fixture.stream,
        "model": knowledge.model,
        "code": knowledge.code_version,
        "data": {
            "last_arrival_id": knowledge.last_arrival_id,
            "results": knowledge.results,
            "sha256": knowledge.data_sha256,
        },
        "forecast": {
            "p_a": forecast.p_a,
            "margin_mean": forecast.margin_mean,
            "margin_sd": forecast.margin_sd,
            "total_mean": forecast.total_mean,
            "total_sd": forecast.total_sd,
        },
        "markets": sealed_markets(forecast),
        "ratings": {
            side: list(ratings[player]) if player in ratings else None
            for side, player in (("a", fixture.player_a), ("b", fixture.player_b))
        },
    }
    return canonical(body)
