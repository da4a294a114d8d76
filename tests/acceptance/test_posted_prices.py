"""Totals against lines that a bookmaker really posted, quotes after the start left out."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from tipoff.backtest.run import Window, run_backtest
from tipoff.domain.match import Match, MatchStatus
from tipoff.domain.quote import Quote
from tipoff.errors import InputError
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.prices import compare, last_before
from tipoff.ingest.parse import parse
from tipoff.ingest.quotes import read_quotes
from tipoff.upstream.recorded import RecordedSource

START = dt.datetime(2026, 7, 8, 10, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def quote(minutes: int, line: float = 107.5, over: float = 1.9, under: float = 1.9) -> Quote:
    """A total posted that many minutes before the start."""
    return Quote("M1", "Book", "total", line, over, under, START - minutes * MINUTE)


def test_quotes_after_the_start_are_left_out() -> None:
    """A line posted during the match, which knows half the score."""
    last = last_before([quote(30), quote(3, 109.5), quote(0, 140.5), quote(-5, 150.5)], {"M1": START})
    assert [q.line for q in last.values()] == [109.5]


def test_a_comparison_worked_through() -> None:
    """Over and under exchanged: total 120 went over 107.5 at even prices; we said more than half."""
    match = Match("M1", START, "A", "B", None, None, None, MatchStatus.FINAL, 61, 59)
    [c] = compare([quote(5)], {"M1": ScoreDistribution(0, 9, 115, 11)}, {"M1": match})
    assert c.price_log_loss.mean == pytest.approx(0.693147, abs=1e-6)
    assert c.our_log_loss.mean < 0.4
    assert c.line_error is not None
    assert (c.line_error.mean, c.our_error.mean if c.our_error else None) == (12.5, 5.0)
    [push] = compare([quote(5, 120.0)], {"M1": ScoreDistribution(0, 9, 115, 11)}, {"M1": match})
    assert (push.matches, push.our_log_loss.n) == (1, 0)


@pytest.mark.parametrize("line", ["no json", "{}", '{"market": "corners"}',
    '{"market":"total","external_id":"x","bookmaker":"b","quotes":[{"t":"2026-07-08T10:00:00","line":1,"over":2,"under":2}]}',
    '{"market":"total","external_id":"x","bookmaker":"b","quotes":[{"t":"2026-07-08T10:00:00Z","line":1,"over":1,"under":2}]}',
])  # fmt: skip
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    """Quotes dropped in silence."""
    path = tmp_path / "quotes.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match="line 1 is not a market"):
        list(read_quotes(path))


@pytest.mark.recorded
def test_against_real_lines(recorded_nba: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A total that a bookmaker's line beats; hyper-parameters from before the first quote."""
    source = RecordedSource(recorded_nba)
    found = [m for day in source.days for answer in source.fetch_day(day) for m in parse(answer).matches]
    matches = [m for m in found if m.status is MatchStatus.FINAL]
    window = Window(dt.date(2026, 7, 5), dt.date(2026, 7, 6), dt.date(2026, 8, 5), lead=2)
    backtest = run_backtest(matches, window, [GaussianFilter()])
    made = backtest.forecasts["filter"]
    ids = backtest.table.ids[backtest.graded]
    forecasts = {
        external_id: ScoreDistribution(*(float(v) for v in numbers))
        for external_id, *numbers in zip(
            ids, made.margin_mean, made.margin_sd, made.total_mean, made.total_sd, strict=True
        )
    }
    quotes = list(read_quotes(recorded_nba.parent / "odds_fanduel_totals_2026-07.jsonl"))
    [c] = compare(quotes, forecasts, {m.external_id: m for m in matches})
    with capsys.disabled():
        print(f"\n{c.matches} matches with a quote before the start: {dataclasses.asdict(c)}")
    assert c.matches >= 350
    assert c.our_error is not None
    assert c.line_error is not None
    assert c.our_error.mean < c.line_error.mean
    assert c.difference.mean < 0
    assert c.our_log_loss.mean <= 0.685
