"""A forecast may use only what was knowable before its match.

For many cut-off times, everything after the cut-off is removed, shuffled or falsified; the forecasts of
matches that start before it must not change by a single bit.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import random

import numpy as np
import pytest

from tests.simulated import simulate, with_newcomers
from tipoff.domain.match import Match, MatchStatus
from tipoff.forecast.baselines import ladder
from tipoff.forecast.forecaster import Forecaster, Forecasts
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.table import build_table, in_order

LEAD = 2
FIELDS = [field.name for field in dataclasses.fields(Forecasts)]


def removed(later: list[Match], _rng: random.Random) -> list[Match]:
    """Nothing after the cut-off."""
    return []


def shuffled(later: list[Match], rng: random.Random) -> list[Match]:
    """Everybody after the cut-off has somebody else's result."""
    scores = [(m.score_a, m.score_b) for m in later]
    rng.shuffle(scores)
    return [dataclasses.replace(m, score_a=a, score_b=b) for m, (a, b) in zip(later, scores, strict=True)]


def falsified(later: list[Match], rng: random.Random) -> list[Match]:
    """Absurd results, and players and teams that never existed, after the cut-off."""
    return [
        dataclasses.replace(m, player_a=f"GHOST {rng.random()}", team_b="Nowhere", score_a=rng.randint(200, 400))
        for m in later
    ]


def by_id(model: Forecaster, matches: list[Match], lead: int = LEAD) -> dict[str, tuple[float, ...]]:
    """Every forecast of a walk, exactly."""
    table = build_table(matches)
    made = model.walk(table, lead)
    columns = [getattr(made, name) for name in FIELDS]
    return {match_id: tuple(float(c[i]) for c in columns) for i, match_id in enumerate(table.ids)}


def test_200_cut_offs_of_the_filter_are_bit_equal() -> None:
    """The leak that makes 54 % look like 70 %."""
    matches, rng = with_newcomers(in_order(simulate(8)[0])), random.Random(11)
    model = GaussianFilter(BUILT_IN).fit(build_table(matches))
    whole = by_id(model, matches)
    for number in range(200):
        cut = matches[0].start + dt.timedelta(minutes=rng.randint(60, 18 * 1440))
        known = [m for m in matches if m.start < cut]
        later = [m for m in matches if m.start >= cut]
        spoiled = (removed, shuffled, falsified)[number % 3](later, rng)
        made = by_id(model, [*known, *spoiled])
        wrong = [m.external_id for m in known if made[m.external_id] != whole[m.external_id]]
        assert not wrong, f"cut-off {cut}: {wrong[:3]}"


@pytest.fixture(scope="module")
def long_league() -> list[Match]:
    """Days enough that there are players who are first seen after the first ten."""
    matches = in_order(simulate(13)[0])
    late = matches[0].start + dt.timedelta(days=10)
    return [
        dataclasses.replace(m, player_a=f"LATE {i % 7}") if m.start > late and i % 9 == 0 else m
        for i, m in enumerate(matches)
    ]


@pytest.mark.parametrize("lead", [0, 60, 300, 1440])
def test_leads_of_hours_do_not_leak_either(long_league: list[Match], lead: int) -> None:
    """A session's count, a rest or a newcomer's link from results not knowable so long before the start."""
    rng, model = random.Random(lead), GaussianFilter(BUILT_IN).fit(build_table(long_league))
    whole = by_id(model, long_league, lead)
    for number in range(12):
        cut = long_league[0].start + dt.timedelta(minutes=rng.randint(10 * 1440, 13 * 1440))
        knowable = cut - dt.timedelta(minutes=30 + lead)
        known = [m for m in long_league if m.start <= knowable]
        between = [m for m in long_league if knowable < m.start < cut]
        later = [m for m in long_league if m.start >= cut]
        spoiled = shuffled(between, rng) + (removed, shuffled, falsified)[number % 3](later, rng)
        made = by_id(model, [*known, *spoiled], lead)
        assert not [m.external_id for m in [*known, *between] if made[m.external_id] != whole[m.external_id]], cut


def test_void_rows_are_as_if_they_were_not(long_league: list[Match]) -> None:
    """A match that was abandoned counted into its players' sessions."""
    model = GaussianFilter(BUILT_IN).fit(build_table(long_league))
    kept = [m for i, m in enumerate(long_league) if i % 7]
    void = [
        m if i % 7 else dataclasses.replace(m, status=MatchStatus.VOID, score_a=0, score_b=0)
        for i, m in enumerate(long_league)
    ]
    assert by_id(model, void) == by_id(model, kept)


@pytest.mark.parametrize("model", ladder(), ids=lambda model: model.name)
def test_baselines_do_not_leak_either(model: Forecaster) -> None:
    """A comparison with baselines that cheat."""
    matches, rng = in_order(simulate(8)[0]), random.Random(12)
    model.fit(build_table(matches[:800]))
    whole = by_id(model, matches)
    for spoil in (removed, shuffled, falsified):
        cut = matches[1500].start
        known = [m for m in matches if m.start < cut]
        made = by_id(model, [*known, *spoil([m for m in matches if m.start >= cut], rng)])
        assert all(np.allclose(made[m.external_id], whole[m.external_id], rtol=1e-12, atol=0) for m in known)


def test_a_result_is_not_used_before_it_is_knowable() -> None:
    """A result used from its start instead of half an hour later."""
    matches = in_order(simulate(3)[0])
    model = GaussianFilter(BUILT_IN).fit(build_table(matches))
    whole = by_id(model, matches)
    changed = matches[300]
    falsehood = dataclasses.replace(changed, score_a=200, score_b=1)
    made = by_id(model, [*matches[:300], falsehood, *matches[301:]])
    earliest = changed.start + dt.timedelta(minutes=30 + LEAD)
    differ = [m.start for m in matches if made[m.external_id] != whole[m.external_id]]
    assert min(differ) >= earliest
    assert min(differ) <= earliest + dt.timedelta(minutes=4)
