"""How sure a probability is, against the truth of a simulated league."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from scipy import stats

from tests.simulated import simulate
from tipoff.domain.match import Match
from tipoff.forecast.bootstrap import day_block_mean
from tipoff.forecast.certainty import Certainty, certainties, certainty
from tipoff.forecast.explain import explain
from tipoff.forecast.params import BUILT_IN, Params
from tipoff.forecast.state import FilterState, state_after
from tipoff.forecast.table import in_order, minutes
from tipoff.league import truth

DAYS, BATCH = 30, 25
T = truth.MARGIN
TRUE = dataclasses.replace(BUILT_IN.margin, q=T.q, v_session=T.v_session, v_team=T.v_team, q_team=T.q_team, r=T.r,
                           v_link=2 * T.v_within, v_player_team=T.v_player_team, v_pair=T.v_pair,
                           v_player_team_session=T.v_player_team_session)  # fmt: skip


@pytest.fixture(scope="module")
def league() -> tuple[list[Match], dict[str, float]]:
    """Results of a simulated league and the true P(A wins) of each."""
    matches, p = simulate(DAYS)
    return in_order(matches), p


@pytest.fixture(scope="module")
def walked(league: tuple[list[Match], dict[str, float]]) -> list[tuple[Match, int, Certainty, float]]:
    """Every match with the fewer known results of the two, how sure the forecast was, and the true probability."""
    matches, p_true = league
    state, found = FilterState.fresh(Params(margin=TRUE)), []
    for i in range(0, len(matches), BATCH):
        asked = matches[i : i + BATCH]
        for match, sure in zip(asked, certainties(state, asked), strict=True):
            known = min(state.known_of(match.player_a), state.known_of(match.player_b))
            found.append((match, known, sure, p_true[match.external_id]))
        state.learn(asked)
    return found


@pytest.mark.parametrize(("least", "most"), [(0, 5), (5, 20), (20, 10_000)])
def test_the_truth_lies_within_as_often_as_said(
    walked: list[tuple[Match, int, Certainty, float]], least: int, most: int
) -> None:
    """An interval of what comes instead of the probability; one that is right for the experienced alone."""
    group = [one for one in walked if least <= one[1] < most]
    inside = np.array([sure.low <= p <= sure.high for _, _, sure, p in group], dtype=float)
    share = day_block_mean(inside, np.array([minutes(m.start) // 1440 for m, _, _, _ in group]))
    assert len(group) > 150
    assert abs(share.mean - 0.8) < 0.02 + 2 * (share.high - share.low) / 3.92


def test_cold_starts_are_less_sure(walked: list[tuple[Match, int, Certainty, float]]) -> None:
    """A newcomer's probability that looks as sure as anybody's."""
    wide = {least: np.mean([c.high - c.low for _, k, c, _ in walked if least <= k < most])
            for least, most in ((0, 5), (5, 20), (20, 10_000))}  # fmt: skip
    assert wide[0] > 1.1 * wide[5] > 1.2 * wide[20]


def test_the_interval_is_that_of_the_states_without_the_noise(league: tuple[list[Match], dict[str, float]]) -> None:
    """Variances mixed up: together they are the forecast's, and the noise is that of the parameters."""
    matches = league[0]
    state = state_after(BUILT_IN, matches[:600])
    asked = [matches[600], dataclasses.replace(matches[601], player_b="NOBODY", team_a=None)]
    for one, forecast, sure in zip(state.parts(asked), state.forecast(asked), certainties(state, asked), strict=True):
        mean, states, noise = one.spread(state.arrays, 0)
        assert (mean, states + noise) == pytest.approx((forecast.margin_mean, forecast.margin_sd**2))
        assert noise == BUILT_IN.margin.r
        for p, sign in ((sure.low, -1), (sure.high, 1)):
            known = stats.norm(mean + sign * stats.norm.ppf(0.9) * math.sqrt(states), math.sqrt(noise))
            assert p == pytest.approx(known.sf(0))
        assert sure.low < forecast.p_a < sure.high
    assert [e.certainty for e in explain(state, asked)] == certainties(state, asked)


def test_words_say_whose_chance_it_is_and_how_little_is_known(league: tuple[list[Match], dict[str, float]]) -> None:
    """Ends of the other side; a guess that reads like knowledge; a chance of 100%."""
    match = league[0][0]
    usual, less, guess = (certainty(match, 2.0, v, 71.0) for v in (9.0, 18.0, 80.0))
    assert f"{match.player_a}'s chance" in usual.words
    assert re.findall(r"\d+%", usual.words) == [f"{100 * usual.low:.0f}%", f"{100 * usual.high:.0f}%"]
    assert usual.words.endswith("matches.")
    assert less.words.endswith("Less is known than usual.")
    assert guess.words.endswith("It is hardly more than a guess.")
    assert "99% and 99%" in certainty(match, 90.0, 9.0, 71.0).words
    assert certainty(match, 2.0, 0.0, 71.0).low == certainty(match, 2.0, -1e-12, 71.0).high
