"""Whether a misfit shows where it is, and nowhere else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tipoff.backtest.report import as_json
from tipoff.cli.groups import groups_tables
from tipoff.forecast.forecaster import Forecasts
from tipoff.forecast.groups import Group, groups
from tipoff.forecast.pit import BINS, pit, spread_over_bins

DAYS, A_DAY = 40, 100
N = DAYS * A_DAY
DAY = np.repeat(np.arange(DAYS), A_DAY)


def made(rng: np.random.Generator) -> tuple[Forecasts, NDArray[np.float64], NDArray[np.float64]]:
    """Forecasts that are right, and the whole margins and totals that came."""
    margin, total = rng.normal(0, 5, N), rng.normal(108, 8, N)
    f = Forecasts(
        np.full(N, 0.5), margin, np.full(N, 9.0), total, np.full(N, 12.0), rng.integers(0, 150, N),
        rng.integers(0, 27, N) / 2,
    )  # fmt: skip
    return f, np.rint(rng.normal(margin, 9.0)), np.rint(rng.normal(total, 12.0))


def held(group: Group) -> tuple[bool, bool, bool]:
    """Whether coverage, the square of z and the histogram of the margin are as they ought to be."""
    one = group.margin
    return (
        one.inside.low < 0.8 < one.inside.high,
        one.pit.z_square.low < 1 < one.pit.z_square.high,
        one.pit.p_uniform > 0.001,
    )


def test_a_whole_number_spreads_over_the_probabilities_of_its_own_point() -> None:
    """A bin with too much because two whole numbers fell into it and only one into the next."""
    y, mean, sd = np.array([3.0, 500.0, -500.0]), np.array([1.0, 0.0, 0.0]), np.array([4.0, 9.0, 9.0])
    found = spread_over_bins(y, mean, sd)
    low, high = stats.norm.cdf([2.5, 3.5], 1, 4)
    expected = [max(min(high, (b + 1) / 10) - max(low, b / 10), 0) / (high - low) for b in range(BINS)]
    assert found[0] == pytest.approx(expected, abs=1e-8)
    assert found[1].tolist() == [0] * 9 + [1]
    assert found[2].tolist() == [1] + [0] * 9


def test_right_forecasts_are_called_wrong_as_seldom_as_stated() -> None:
    """A test that takes the matches of one day for independent, or one that never says anything."""
    rng, p = np.random.default_rng(5), []
    mean, sd = np.zeros(1000), np.full(1000, 9.0)
    for _ in range(300):
        shared = np.repeat(rng.normal(0, 6, 50), 20)
        y = np.rint(shared + rng.normal(0, np.sqrt(81 - 36), 1000))
        p.append(pit(y, mean, sd, np.repeat(np.arange(50), 20)).p_uniform)
    low, high = stats.binom.interval(0.9999, 300, 0.05)
    assert low <= sum(one < 0.05 for one in p) <= high


def test_without_days_the_test_is_pearsons() -> None:
    """A chi-square with a factor wrong: where every match has its own day it is the textbook's."""
    rng = np.random.default_rng(6)
    y = np.rint(rng.normal(0, 900, 5000))
    found = pit(y, np.zeros(5000), np.full(5000, 920.0), np.arange(5000))
    counts = np.bincount(np.minimum((stats.norm.cdf(y / 920.0) * 10).astype(int), 9), minlength=10)
    assert found.p_uniform == pytest.approx(stats.chisquare(counts).pvalue, abs=0.02)
    assert np.array(found.bins) * 5000 == pytest.approx(counts, abs=2)


def test_a_misfit_shows_in_its_group_and_in_no_other() -> None:
    """Deviations too small for newcomers alone, hidden by everybody else's."""
    f, margin, total = made(np.random.default_rng(12))
    few = f.played < 20
    narrow = dataclasses.replace(f, margin_sd=np.where(few, 5.0, 9.0))
    for good, report in ((True, groups(f, margin, total, DAY)), (False, groups(narrow, margin, total, DAY))):
        assert [held(g) for g in report["experience"]] == [(good,) * 3] * 2 + [(True,) * 3] * 2
        assert [g.name for g in report["experience"]] == [
            "under 5", "5 to under 20", "20 to under 100", "100 or more",
        ]  # fmt: skip
        for kind in report.values():
            assert sum(g.n for g in kind) == N
            assert all(g.total.pit.p_uniform > 0.001 for g in kind)


def test_a_wrong_mean_shows_at_its_level_and_a_wrong_spread_at_its_position() -> None:
    """Groups of something else than what they are named after."""
    f, margin, total = made(np.random.default_rng(8))
    low = f.total_mean < np.quantile(f.total_mean, 1 / 3)
    shifted = dataclasses.replace(f, total_mean=np.where(low, f.total_mean - 4, f.total_mean))
    zs = [g.total.pit.z_mean for g in groups(shifted, margin, total, DAY)["level"]]
    assert [z.low > 0.2 for z in zs] == [True, False, False]
    wide = dataclasses.replace(f, total_sd=np.where(f.position >= 10, 16.0, 12.0))
    by_position = groups(wide, margin, total, DAY)["position"]
    assert [g.total.inside.low > 0.82 for g in by_position] == [False, False, False, True]
    bounds = np.searchsorted([1, 5, 10], f.position, side="right")
    assert [g.n for g in by_position] == np.bincount(bounds).tolist()
    assert [g.name for g in by_position] == ["under 1", "1 to under 5", "5 to under 10", "10 or more"]


def test_figures_of_a_group_are_those_of_its_matches_alone() -> None:
    """A mask forgotten on one side."""
    f, margin, total = made(np.random.default_rng(9))
    few = f.played < 5
    first = groups(f, margin, total, DAY)["experience"][0]
    z = (margin - f.margin_mean)[few] / 9
    crps = 9 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert first.n == few.sum()
    assert first.margin.crps.mean == pytest.approx(crps.mean())
    assert first.margin.inside.mean == pytest.approx((np.abs(z) <= stats.norm.ppf(0.9)).mean())
    assert (first.margin.pit.z_mean.mean, first.margin.pit.z_square.mean) == (
        pytest.approx(z.mean()), pytest.approx((z * z).mean()),
    )  # fmt: skip
    assert first.log_loss.mean == pytest.approx(np.log(2))


def test_the_tables_say_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    """A column of another group; an interval that a single day cannot have."""
    f, margin, total = made(np.random.default_rng(10))
    report = as_json(groups(f, margin, total, DAY * 0))
    groups_tables({"name": "filter", "groups": report})
    said = capsys.readouterr().out
    for kind in report.values():
        for group in kind:
            row = next(line for line in said.splitlines() if f" {group['name']} " in line)
            cells = [cell.strip() for cell in row.strip("│").split("│")]
            assert cells[1:4] == [str(group["n"]), "margin", f"{group['margin']['crps']['mean']:.2f}"]
            assert cells[4] == f"{group['margin']['inside']['mean']:.1%}"
            assert len(cells[7]) == BINS
            assert cells[8] == "-"


def test_results_that_all_fall_into_one_bin_say_nothing() -> None:
    """A division by the spread of what does not vary, which would fail the whole record."""
    same, days = np.zeros(20), np.arange(20)
    assert np.isnan(pit(same, same + 40, same + 9, days).p_uniform)
    assert np.isnan(pit(same, same + np.arange(20), same + 9, days % 9).p_uniform)


def test_no_forecasts_make_no_groups() -> None:
    """A quantile of nothing."""
    nothing = np.zeros(0)
    empty = Forecasts(*[nothing] * 5, np.zeros(0, dtype=np.int64), nothing)
    found = groups(empty, nothing, nothing, np.zeros(0, dtype=np.int64))
    assert found == {"experience": [], "level": [], "position": []}
