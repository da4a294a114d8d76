"""Measures against worked examples and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from tipoff.forecast.bootstrap import day_block_mean
from tipoff.forecast.metrics import calibration_bins, calibration_slope, crps_gaussian, ece


def test_crps_equals_its_integral() -> None:
    """A closed form with a sign or a factor wrong."""
    from scipy.special import ndtr

    grid = np.linspace(-80, 80, 320_001)
    brute = float(np.trapezoid((ndtr((grid - 2.0) / 9.0) - (grid >= 7.5)) ** 2, grid))
    assert crps_gaussian(np.array([7.5]), np.array([2.0]), np.array([9.0]))[0] == pytest.approx(brute, abs=1e-3)


def test_ece_of_a_worked_example() -> None:
    """Bins weighted equally instead of by their counts."""
    p = np.array([0.62, 0.64, 0.66, 0.31])
    won = np.array([True, True, False, False])
    assert ece(calibration_bins(p, won)) == pytest.approx(0.75 * abs(0.64 - 2 / 3) + 0.25 * 0.31)


def test_probability_one_falls_into_the_last_bin() -> None:
    """p = 1 lost outside the bins."""
    assert calibration_bins(np.array([1.0]), np.array([True]))[-1].n == 1


def test_slope_finds_overconfidence() -> None:
    """A slope that is always near 1."""
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 1, 20_000)
    won = rng.random(20_000) < 1 / (1 + np.exp(-truth))
    assert calibration_slope(1 / (1 + np.exp(-2 * truth)), won) == pytest.approx(0.5, abs=0.03)


def test_interval_widens_when_days_agree() -> None:
    """A bootstrap over matches, which takes 250 matches of one day for independent."""
    rng = np.random.default_rng(2)
    days = np.repeat(np.arange(30), 100)
    shared = day_block_mean(np.repeat(rng.normal(size=30), 100), days)
    alone = day_block_mean(rng.normal(size=3000), days)
    assert shared.high - shared.low > 5 * (alone.high - alone.low)


def test_one_day_has_no_interval() -> None:
    """A zero-width interval that looks like certainty."""
    estimate = day_block_mean(np.array([1.0, 2.0]), np.array([5, 5]))
    assert np.isnan(estimate.low)
    assert estimate.mean == 1.5
