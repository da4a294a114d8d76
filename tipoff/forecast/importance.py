"""What each group of states is worth: how much worse the forecasts are when it is left out.

The group's prior variance and drift are set to (almost) nothing, so the filter never moves it, and the same
days are walked again (ablation). Differences are paired, with intervals over days. Groups overlap, so the
figures do not add up.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.metrics import Scores, score
from tipoff.forecast.params import Params
from tipoff.forecast.table import MatchTable

NOTHING = 1e-9
GROUPS: dict[str, tuple[str, ...]] = {
    "player strength": ("v0", "q", "v_link", "v_late"),
    "drift of players": ("q",),
    "session form": ("v_session", "q_session"),
    "team strength": ("v_team", "q_team"),
    "player with team": ("v_player_team",),
    "player with team today": ("v_player_team_session",),
    "pair of players": ("v_pair",),
    "stream": ("v_stream",),
    "level of the league": ("q_base",),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Importance:
    """What leaving a group out costs: log loss in nats, errors in points; above zero the group helps."""

    group: str
    log_loss: Estimate
    margin_mae: Estimate
    total_mae: Estimate


def importance(params: Params, table: MatchTable, begin: int) -> list[Importance]:
    """Leave out each group in turn and grade the matches from row `begin` on."""
    whole = _scores(params, table, begin)
    return [_worth(group, whole, _scores(without(params, group), table, begin), table, begin) for group in GROUPS]


def without(params: Params, group: str) -> Params:
    """The same hyper-parameters with one group's variances at nothing."""
    none = dict.fromkeys(GROUPS[group], NOTHING)
    return dataclasses.replace(
        params, margin=dataclasses.replace(params.margin, **none), total=dataclasses.replace(params.total, **none)
    )


def _scores(params: Params, table: MatchTable, begin: int) -> Scores:
    made = GaussianFilter(params).fit(table).walk(table, 2).slice(begin, len(table))
    return score(made, *table.observed[:, begin:])


def _worth(group: str, whole: Scores, part: Scores, table: MatchTable, begin: int) -> Importance:
    days = np.asarray(table.start[begin:] // 1440)
    return Importance(
        group,
        day_block_mean(part.log_loss - whole.log_loss, days),
        day_block_mean(part.margin_error - whole.margin_error, days),
        day_block_mean(part.total_error - whole.total_error, days),
    )
