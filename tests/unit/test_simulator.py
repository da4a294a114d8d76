"""The league with known truth."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import itertools

import numpy as np

from tests.simulated import BEGIN, simulate
from tipoff.league.names import GROUPS
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings

DAY = dt.timedelta(days=1)


def test_any_day_is_the_same_whatever_was_asked_before() -> None:
    """A league whose past depends on when it is asked."""
    whole = League().matches(BEGIN, BEGIN + 20 * DAY)
    alone = League().matches(BEGIN + 10 * DAY, BEGIN + 11 * DAY)
    assert alone == [m for m in whole if BEGIN + 10 * DAY <= m.start < BEGIN + 11 * DAY]
    assert League(LeagueSettings(seed=8)).matches(BEGIN, BEGIN + DAY) != whole[: len(alone)]


def test_ids_are_unique_and_carry_the_date() -> None:
    """Two matches under one id."""
    booked = League().matches(BEGIN, BEGIN + 10 * DAY)
    assert len({m.external_id for m in booked}) == len(booked)
    assert all(m.external_id.endswith(f"{m.start:%d%m%y}") for m in booked)


def test_nobody_plays_twice_at_once_and_groups_are_closed() -> None:
    """A schedule that no league could play."""
    played = [m for m in League().matches(BEGIN, BEGIN + 5 * DAY) if m.withdrawn_at is None]
    starts: dict[str, list[dt.datetime]] = collections.defaultdict(list)
    for m in played:
        assert m.team_a != m.team_b
        assert any(m.team_a in group and m.team_b in group for group in GROUPS)
        starts[m.player_a].append(m.start)
        starts[m.player_b].append(m.start)
    gaps = {b - a for times in starts.values() for a, b in itertools.pairwise(times)}
    assert min(gaps) >= dt.timedelta(minutes=32)
    assert not [g for g in gaps if dt.timedelta(hours=3) < g < dt.timedelta(hours=8)]


def test_the_truth_is_calibrated_and_as_uncertain_as_the_real_league() -> None:
    """A truth that is not the probability of what happens."""
    matches, truth = simulate(80)
    p = np.array([truth[m.external_id] for m in matches])
    won = np.array([m.score_a is not None and m.score_b is not None and m.score_a > m.score_b for m in matches])
    error = np.sqrt(np.sum(p * (1 - p))) / len(p)
    assert abs(p.mean() - won.mean()) < 4 * error
    for low in np.arange(0, 1, 0.1):
        inside = (p >= low) & (p < low + 0.1)
        if inside.sum() > 100:
            se = np.sqrt(np.sum(p[inside] * (1 - p[inside]))) / inside.sum()
            assert abs(p[inside].mean() - won[inside].mean()) < 4 * se
    loss = float(-np.mean(np.log(np.where(won, p, 1 - p))))
    assert 0.595 < loss < 0.625


def test_withdrawn_fixtures_are_issued_again() -> None:
    """A slot that stays empty, or two matches in one slot."""
    settings = dataclasses.replace(LeagueSettings(), withdrawal_rate=0.5)
    booked = League(settings).matches(BEGIN, BEGIN + DAY)
    gone = [m for m in booked if m.withdrawn_at is not None]
    assert len(gone) > 50
    for m in gone:
        stand_in = [o for o in booked if o.start == m.start and o.stream == m.stream and o is not m]
        assert len(stand_in) == 1
        assert stand_in[0].withdrawn_at is None
        assert stand_in[0].external_id > m.external_id
