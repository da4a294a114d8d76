"""Explanations: parts that add up, in words, with cautions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.simulated import simulate
from tipoff.domain.match import Fixture, Match
from tipoff.forecast.explain import PARTS, explain
from tipoff.forecast.importance import GROUPS, importance, without
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.ratings import leaderboard
from tipoff.forecast.state import FilterState, state_after
from tipoff.forecast.table import build_table


@pytest.fixture(scope="module")
def league() -> list[Match]:
    """Results of a simulated league."""
    return simulate(50)[0]


@pytest.fixture(scope="module")
def state(league: list[Match]) -> FilterState:
    """The filter after the first 2,500."""
    return state_after(BUILT_IN, league[:2500])


def test_parts_add_up_in_ten_thousand_forecasts(league: list[Match], state: FilterState) -> None:
    """An explanation of another forecast than the one that was published; newcomers and unknown teams too."""
    fixtures: list[Fixture] = list(league[2500:12_200])
    for i, f in enumerate(league[2500:2800]):
        change = ({"player_a": "NOBODY"}, {"player_b": "NOBODY"}, {"player_a": "NOBODY", "player_b": "NO ONE"},
                  {"team_a": None}, {"team_b": "Nowhere Nobodies", "stream": None})[i % 5]  # fmt: skip
        fixtures.append(dataclasses.replace(f, **change))
    assert len(fixtures) == 10_000
    explained, forecasts = explain(state, fixtures), state.forecast(fixtures)
    for e, f in zip(explained, forecasts, strict=True):
        assert abs(sum(p.margin for p in e.parts) - f.margin_mean) <= 1e-9
        assert abs(sum(p.total for p in e.parts) - f.total_mean) <= 1e-9
        assert [p.name for p in e.parts] == list(PARTS)
        assert all(p.margin_sd >= 0 and p.total_sd >= 0 for p in e.parts)


def test_uncertainty_of_a_part_is_the_filters_own(league: list[Match], state: FilterState) -> None:
    """Deviations made up: those of the players' difference are in the covariance."""
    fixture = league[2600]
    names, means, covariance = state.contrasts()
    a, b = names.index(fixture.player_a), names.index(fixture.player_b)
    [e] = explain(state, [fixture])
    players = next(p for p in e.parts if p.name == "players")
    scale = next(state.parts([fixture])).scale[0]
    assert players.margin == pytest.approx(scale * (means[a] - means[b]), abs=1e-9)
    expected = covariance[a, a] + covariance[b, b] - 2 * covariance[a, b]
    drift = BUILT_IN.margin.q * (
        sum((fixture.start - _last(league[:2500], p)).total_seconds() for p in (fixture.player_a, fixture.player_b))
        / 86400
    )  # fmt: skip
    assert players.margin_sd**2 == pytest.approx(scale**2 * (expected + drift), rel=1e-3)


def _last(matches: list[Match], player: str) -> object:
    return max(m.start for m in matches if player in (m.player_a, m.player_b))


def test_newcomers_are_said_to_be_newcomers(league: list[Match], state: FilterState) -> None:
    """A forecast from nothing that looks like one from experience."""
    [known, new] = explain(state, [league[2500], dataclasses.replace(league[2500], player_a="NOBODY")])
    assert known.cautions == []
    assert "only 0 results of NOBODY" in new.cautions[0]
    assert league[2500].player_a in " ".join(p.words for p in known.parts)


def test_groups_hold_those_who_cannot_be_told_apart(state: FilterState) -> None:
    """A leaderboard that makes an order out of chance."""
    board = leaderboard(state, min_matches=20)
    assert [r.rank for r in board] == list(range(1, len(board) + 1))
    assert all((r.matches or 0) >= 20 for r in board)
    assert board[0].group == 1
    assert 1 < board[-1].group < len(board)
    names, _, covariance = state.contrasts()
    best = board[0]
    for r in board[1:]:
        i, j = names.index(best.name), names.index(r.name)
        z = (best.strength - r.strength) / np.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        assert (z < 1.6448536) == (r.group == best.group)
        if r.group != best.group:
            break
    assert {r.name for r in leaderboard(state, "teams")} == set(state.roster.teams)


def test_the_leaderboard_leaves_out_those_with_few_matches(league: list[Match]) -> None:
    """A champion after two matches."""
    early = state_after(BUILT_IN, league[:90])
    few = {p for p in early.roster.players if early.known_of(p) < 5}
    assert few
    assert not few & {r.name for r in leaderboard(early, min_matches=5)}


def test_leaving_a_group_out_costs_what_it_is_worth(league: list[Match]) -> None:
    """Importance that is not measured: teams and players matter here, the stream hardly."""
    table = build_table(league[:5000])
    found = {i.group: i for i in importance(BUILT_IN, table, 2500)}
    assert set(found) == set(GROUPS)
    assert found["player strength"].total_mae.low > 0
    assert found["team strength"].log_loss.low > 0
    assert abs(found["stream"].log_loss.mean) < found["team strength"].log_loss.mean
    assert all(i.log_loss.n == 2500 for i in found.values())
    assert without(BUILT_IN, "session form").margin.v_session < 1e-6
