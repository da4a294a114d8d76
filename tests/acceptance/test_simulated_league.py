"""On leagues whose truth is known: the fit finds what can be found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.simulated import simulate
from tipoff.forecast.baselines import ladder
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.fit import FITTED, fit_filter
from tipoff.forecast.forecaster import F64, Forecaster
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.metrics import score
from tipoff.forecast.params import BUILT_IN, MARGIN, FilterParams, Params
from tipoff.forecast.table import MatchTable, build_table
from tipoff.league.truth import MARGIN as TRUE_MARGIN
from tipoff.league.truth import LeagueSettings, Truth

DAYS = 77
FIT_MATCHES = 7000


def true_params(truth: Truth) -> FilterParams:
    """The simulator's own values in the filter's terms."""
    return dataclasses.replace(
        MARGIN, v0=truth.v_tier + truth.v_within, q=truth.q, v_session=truth.v_session, v_team=truth.v_team,
        q_team=truth.q_team, r=truth.r, v_link=2 * truth.v_within, v_player_team=truth.v_player_team,
        v_pair=truth.v_pair, v_player_team_session=truth.v_player_team_session,
    )  # fmt: skip


def losses(model: Forecaster, table: MatchTable) -> F64:
    """Log loss of each match after the fit window."""
    made = model.walk(table, 2).slice(FIT_MATCHES, len(table))
    return score(made, *table.observed[:, FIT_MATCHES:]).log_loss


def paired(one: F64, other: F64, table: MatchTable) -> Estimate:
    """Mean of one less other with its interval."""
    return day_block_mean(one - other, table.start[FIT_MATCHES:] // 1440)


def with_margin(params: FilterParams, additions: tuple[str, ...] = BUILT_IN.additions) -> Forecaster:
    """The filter with these values of the margin."""
    return GaussianFilter(Params(params, BUILT_IN.total, additions=additions)).fit(build_table([]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_fitted_filter_is_as_good_as_the_true_one(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A fit that misses the optimum, a league too easy or too hard, a baseline that is as good."""
    matches, truth = simulate(DAYS, LeagueSettings(seed=seed))
    matches = matches[:20_000]
    assert len(matches) == 20_000
    table = build_table(matches)
    fitted = losses(with_margin(fit_filter(table.head(FIT_MATCHES), 0, BUILT_IN).params), table)
    ideal = losses(with_margin(true_params(TRUE_MARGIN), ()), table)
    p = np.array([truth[i] for i in table.ids[FIT_MATCHES:]])
    won = table.observed[0, FIT_MATCHES:] > 0
    gap = float(fitted.mean() - np.mean(-np.log(np.where(won, p, 1 - p))))
    difference = paired(fitted, ideal, table)
    with capsys.disabled():
        print(f"\nseed {seed}: log loss {fitted.mean():.4f}, gap to the oracle {gap:.4f}")
        print(f"fitted less true values: {difference.mean:+.5f} ({difference.low:+.5f} to {difference.high:+.5f})")
    assert 0.02 <= gap <= 0.05
    assert difference.mean <= 0.002
    for model in ladder():
        model.fit(table.head(FIT_MATCHES))
        assert losses(model, table).mean() - fitted.mean() >= 0.01, model.name


@pytest.mark.parametrize(
    ("truth", "shift"),
    [
        (dataclasses.replace(TRUE_MARGIN, q=0.8, v_within=25.0, v_session=12.0, r=40.0), 3.0),
        (dataclasses.replace(TRUE_MARGIN, v_team=20.0, q_team=0.8, v_player_team=12.0, v_pair=8.0), 1 / 3),
    ],
    ids=["volatile players", "teams matter"],
)
def test_fitting_finds_another_league(truth: Truth, shift: float, capsys: pytest.CaptureFixture[str]) -> None:
    """A fit that stays where it starts."""
    table = build_table(simulate(60, LeagueSettings(seed=21, margin=truth))[0])
    start = dataclasses.replace(MARGIN, **{name: getattr(MARGIN, name) * shift for name in FITTED})
    fitted = fit_filter(table.head(FIT_MATCHES), 0, BUILT_IN, start=start).params
    difference = paired(losses(with_margin(fitted), table), losses(with_margin(MARGIN), table), table)
    with capsys.disabled():
        print(f"\nfitted less built-in: {difference.mean:+.5f} ({difference.low:+.5f} to {difference.high:+.5f})")
    assert difference.high < 0
