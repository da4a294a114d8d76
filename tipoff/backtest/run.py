"""One backtest: fit on an earlier window, walk forward, measure beside the baselines."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Sequence

import numpy as np

from tipoff.domain.match import Match
from tipoff.domain.progress import Progress, quiet
from tipoff.errors import InputError, LeakError
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.forecaster import Forecaster, Forecasts
from tipoff.forecast.groups import Group, groups
from tipoff.forecast.metrics import CalibrationBin, Scores, calibration_bins, calibration_slope, ece, score
from tipoff.forecast.table import MatchTable, build_table, in_order, minutes

LEAK_ACCURACY = 0.65
LEAK_MIN_MATCHES = 1000
MEASURES = (
    "log_loss", "brier", "hit", "margin_error", "total_error", "margin_crps", "total_crps", "margin_inside",
    "total_inside", "over_log_loss",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Inclusive UTC dates: hyper-parameters see matches until `fit_until`; `first` to `last` are graded."""

    fit_until: dt.date
    first: dt.date
    last: dt.date
    lead: int = 2
    """minutes before the start at which a match is forecast"""

    def __post_init__(self) -> None:
        if self.first <= self.fit_until:
            raise InputError(
                f"--from {self.first} must come after --fit-until {self.fit_until}, or matches would be "
                "forecast with hyper-parameters that have seen them"
            )
        if self.last < self.first:
            raise InputError(f"--to {self.last} comes before --from {self.first}")
        if self.lead < 0:
            raise InputError(f"--lead must not be negative, got {self.lead} minutes")


@dataclasses.dataclass(frozen=True, slots=True)
class ModelReport:
    """What one forecaster scored; `against` compares the first model with it, match by match."""

    name: str
    measures: dict[str, Estimate]
    cold_log_loss: Estimate
    ece: float
    slope: float
    bins: list[CalibrationBin]
    seconds_to_fit: float
    microseconds_a_match: float
    difference: Estimate | None
    """log loss of the first model less this one's; below zero: the first model is better"""
    groups: dict[str, list[Group]]
    """whether its uncertainty is right by experience, level and position in the session"""


@dataclasses.dataclass(frozen=True, slots=True)
class Backtest:
    """A finished backtest; `graded` are the rows of `table` that were scored."""

    window: Window
    table: MatchTable
    graded: slice
    models: list[ModelReport]
    forecasts: dict[str, Forecasts]


def default_window(matches: Sequence[Match], lead: int = 2) -> Window:
    """Fit on the first half of the days, grade the second."""
    days = sorted({match.start.date() for match in matches})
    if len(days) < 2:
        raise InputError("a backtest needs final matches on at least two days")
    middle = days[(len(days) - 1) // 2]
    return Window(middle, middle + dt.timedelta(days=1), days[-1], lead)


def run_backtest(
    matches: Sequence[Match], window: Window, models: Sequence[Forecaster], progress: Progress = quiet
) -> Backtest:
    """Fit and walk every model over `matches`; the first is compared with each of the others.

    Raises InputError when there is nothing to fit on or to grade.
    """
    matches = in_order(match for match in matches if match.start.date() <= window.last)
    table = build_table(matches)
    fit_end = int(np.searchsorted(table.start, _midnight(window.fit_until + dt.timedelta(days=1))))
    begin = int(np.searchsorted(table.start, _midnight(window.first)))
    if begin == len(table):
        raise InputError(f"no final matches from {window.first} to {window.last}: nothing to grade")
    if fit_end == 0:
        raise InputError(f"no final matches until {window.fit_until}: nothing to fit on")
    earlier = build_table([m for m in matches if m.start.date() <= window.fit_until])
    graded = slice(begin, len(table))
    reports: list[ModelReport] = []
    forecasts: dict[str, Forecasts] = {}
    first: Scores | None = None
    for i, model in enumerate(models):
        share = _share_of(progress, i, len(models))
        report, made, scores = _run_model(model, earlier, table, graded, window.lead, first, share)
        first = first or scores
        reports.append(report)
        forecasts[model.name] = made
    return Backtest(window, table, graded, reports, forecasts)


def _share_of(progress: Progress, i: int, n: int) -> Progress:
    return lambda share, message: progress((i + share) / n, message)


def _run_model(
    model: Forecaster, earlier: MatchTable, table: MatchTable, graded: slice, lead: int, first: Scores | None,
    progress: Progress,
) -> tuple[ModelReport, Forecasts, Scores]:  # fmt: skip
    started = time.perf_counter()
    model.fit(earlier, progress)
    model.walk(table.head(2), lead)  # what compiles on first use belongs to fitting
    fitted = time.perf_counter()
    made = model.walk(table, lead)
    walked = time.perf_counter()
    margin, total = table.observed[:, graded]
    kept = made.slice(graded.start, graded.stop)
    scores = score(kept, margin, total)
    days = table.start[graded] // 1440
    bins = calibration_bins(kept.p_a, margin > 0)
    difference = None if first is None else day_block_mean(first.log_loss - scores.log_loss, days)
    report = ModelReport(
        name=model.name,
        measures={name: day_block_mean(getattr(scores, name), days) for name in MEASURES},
        cold_log_loss=day_block_mean(scores.log_loss[scores.cold], days[scores.cold]),
        ece=ece(bins),
        slope=calibration_slope(kept.p_a, margin > 0),
        bins=bins,
        seconds_to_fit=fitted - started,
        microseconds_a_match=1e6 * (walked - fitted) / len(table),
        difference=difference,
        groups=groups(kept, margin, total, days),
    )
    return report, kept, scores


def refuse_leaks(backtest: Backtest) -> None:
    """Raise LeakError when a model's accuracy is better than honest forecasts of real matches can be."""
    for model in backtest.models:
        accuracy = model.measures["hit"]
        if accuracy.n >= LEAK_MIN_MATCHES and accuracy.low > LEAK_ACCURACY:
            raise LeakError(
                f"this looks like a leak: {model.name} called {accuracy.mean:.1%} of {accuracy.n} real "
                f"matches (95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}), but results alone cannot "
                f"call these matches better than {LEAK_ACCURACY:.0%}. Some forecast saw results that were not "
                "knowable before its match: check the files for repeated or shifted matches."
            )


def _midnight(day: dt.date) -> int:
    return minutes(dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC))
