"""The simulated league's hyper-parameters: how strong, how volatile, how noisy everything truly is."""

from __future__ import annotations

import dataclasses
import datetime as dt


@dataclasses.dataclass(frozen=True, slots=True)
class Truth:
    """Generative variances (points squared; drifts a day) of the margin or of the total.

    Players of one tier differ by 2 * v_within, so a newcomer differs from the first opponent by that.
    Strengths revert to the tier's mean and teams' to zero, so that the league is as uncertain in any year.
    """

    v_tier: float
    v_within: float
    q: float
    v_session: float
    v_team: float
    q_team: float
    r: float
    v_player_team: float
    v_pair: float
    v_player_team_session: float
    v_stream: float
    base: float


MARGIN = Truth(
    v_tier=60.0, v_within=3.6, q=0.027, v_session=1.5, v_team=2.6, q_team=0.0019, r=71.2, v_player_team=2.0,
    v_pair=1.4, v_player_team_session=2.0, v_stream=0.0, base=0.0,
)  # fmt: skip
TOTAL = Truth(
    v_tier=10.0, v_within=12.0, q=0.136, v_session=1.9, v_team=3.2, q_team=0.062, r=115.8, v_player_team=2.68,
    v_pair=3.8, v_player_team_session=1.8, v_stream=0.32, base=108.1,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class LeagueSettings:
    """A whole league; the same settings give the same matches for ever."""

    seed: int = 7
    epoch: dt.date = dt.date(2026, 1, 1)
    players: int = 148
    tier_size: int = 10
    margin: Truth = MARGIN
    total: Truth = TOTAL
    void_rate: float = 0.0017
    withdrawal_rate: float = 0.03
    correction_rate: float = 0.002
    newcomer_share: float = 0.2
    """players who join after the epoch, evenly over the first year"""
