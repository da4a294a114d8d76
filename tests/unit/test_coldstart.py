"""Forecasts of newcomers against brute force, and against a truth whose newcomers differ in spread."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import integrate, stats

from tests.simulated import simulate
from tipoff.forecast.arrays import POS
from tipoff.forecast.coldstart import NODES, WEIGHTS, Links, carried, link
from tipoff.forecast.params import BUILT_IN, Params
from tipoff.forecast.state import state_after
from tipoff.forecast.table import in_order

V, R, TAU = 12.0, 80.0, 0.8


def learned(results: np.ndarray, v: float) -> tuple[float, float]:
    """Mean and variance of d ~ N(0, v) after `results` of d plus noise of R."""
    variance = 1 / (1 / v + len(results) / R)
    return variance * float(results.sum()) / R, variance


@pytest.mark.parametrize("n", [0, 1, 6, 30])
@pytest.mark.parametrize("side", [0, 1])
def test_it_is_the_mixture_of_filters_with_other_priors(n: int, side: int) -> None:
    """A weight upside down: each node's own filter, weighted by the integral of prior times likelihood."""
    results, sign = np.random.default_rng(n).normal(5, math.sqrt(R), n), 1 - 2 * side
    means, variances, weights = [], [], []
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        v = V * math.exp(TAU * node)
        d, u = learned(results, v)
        means.append(2.0 + sign * d)
        variances.append(R + u)
        grid = np.linspace(-60, 60, 20_001)
        likelihood = stats.norm.logpdf(results[:, None], grid, math.sqrt(R)).sum(axis=0)
        weights.append(
            weight * integrate.trapezoid(np.exp(likelihood + stats.norm.logpdf(grid, 0, math.sqrt(v))), grid)
        )
    w = np.array(weights) / sum(weights)
    middle = float(w @ means)
    spread = float(w @ (np.array(variances) + (np.array(means) - middle) ** 2))
    d, u = learned(results, V)
    column = np.zeros((1, 2))
    links = Links(column.copy(), column.copy(), column.copy(), column.copy())
    for part, value in ((links.mean, d), (links.variance, u), (links.covariance, sign * u), (links.prior, V)):
        part[0, side] = value
    found = carried(np.array([2.0 + sign * d]), np.array([R + u]), links, TAU)
    assert (found[0][0], found[1][0]) == (pytest.approx(middle, abs=1e-6), pytest.approx(spread, rel=1e-6))


def test_a_link_is_read_from_the_filters_own_states() -> None:
    """The closed form against the filter itself, run with another prior variance for the one newcomer."""
    margin = dataclasses.replace(BUILT_IN.margin, q=0.0, q_team=0.0, q_base=0.0, q_extras=0.0, clip=1e9,
                                 v_player_team=0.0, v_pair=0.0, v_player_team_session=0.0)  # fmt: skip
    matches = in_order(simulate(4)[0])[:640]
    found = {}
    new, rival = matches[600].player_a, matches[600].player_b
    known = [m for m in matches[:600] if new not in (m.player_a, m.player_b)]
    later = [m for m in matches[600:] if new in (m.player_a, m.player_b)][:6]
    for v in (V, 2.5 * V):
        state = state_after(Params(margin=dataclasses.replace(margin, v_link=V), additions=()), known)
        state.params = Params(margin=dataclasses.replace(margin, v_link=v), additions=())
        state.learn(later[:-1])
        found[v] = state, *next(state.parts(later[-1:])).forecast(state.arrays, 0)
    state, mean, variance = found[V]
    s, one = state.arrays, next(state.parts(later[-1:]))
    there = one.where >= 0
    players = [int(s.players[state.roster.players[name], POS]) for name in (new, rival)]
    at = np.array([*players, *one.where[there]])
    d, u, c = link(s.x[0, at], state.covariances()[0][np.ix_(at, at)], one.weights[0, there])
    a = (1 / 2.5 - 1) / V
    assert 0 < u < V
    assert found[2.5 * V][1] == pytest.approx(mean - c * a * d / (1 + a * u), abs=1e-9)
    assert found[2.5 * V][2] == pytest.approx(variance - c * c * a / (1 + a * u), abs=1e-9)
    assert abs(found[2.5 * V][1] - mean) > 0.1


def test_the_experienced_are_left_alone() -> None:
    """A change where nobody is new; a caller's array changed in place."""
    mean, variance = np.array([1.0, 2.0]), np.array([80.0, 90.0])
    prior = np.array([[0.0, 0.0], [V, 0.0]])
    links = Links(np.ones((2, 2)), np.full((2, 2), V), np.full((2, 2), V), prior)
    made = carried(mean, variance, links, TAU)
    assert (made[0][0], made[1][0]) == (1.0, 80.0)
    assert made[1][1] > 90.0
    assert (mean.tolist(), variance.tolist()) == ([1.0, 2.0], [80.0, 90.0])
    for same in (carried(mean, variance, links, 0.0), carried(mean, variance, Links(*[np.zeros((2, 2))] * 4), TAU)):
        assert (same[0].tolist(), same[1].tolist()) == ([1.0, 2.0], [80.0, 90.0])


@pytest.mark.parametrize(("truth", "better"), [(0.8, True), (0.0, False)])
def test_it_helps_where_newcomers_differ_and_does_no_harm_where_not(truth: float, better: bool) -> None:
    """A widening that costs more where the prior was right than it brings where it was not."""
    rng, n, played = np.random.default_rng(11), 60_000, 4
    v = V * np.exp(truth * rng.normal(size=n))
    d = rng.normal(0, np.sqrt(v))
    y = d[:, None] + rng.normal(0, math.sqrt(R), (n, played + 1))
    u = 1 / (1 / V + played / R)
    mean = u * y[:, :played].sum(axis=1) / R
    column, zero = np.ones(n), np.zeros(n)
    links = Links(*(np.column_stack([part, zero]) for part in (mean, u * column, u * column, V * column)))
    made, variance = carried(mean, (R + u) * column, links, TAU)
    y_next = y[:, played]
    gain = stats.norm.logpdf(y_next, made, np.sqrt(variance)) - stats.norm.logpdf(y_next, mean, math.sqrt(R + u))
    error = gain.std() / math.sqrt(n)
    assert gain.mean() > 2 * error if better else abs(gain.mean()) < 0.002
