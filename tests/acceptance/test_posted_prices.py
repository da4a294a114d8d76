"""Totals against lines that a bookmaker really posted, quotes after the start left out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path

import pytest

from tests.jobs import ROOT
from tipoff.backtest.market import Group, compare_with_market
from tipoff.backtest.posted import IN_PLAY, SOMETHING_ELSE
from tipoff.backtest.run import Window, run_backtest
from tipoff.cli.backtest import read_folders
from tipoff.domain.match import Match, MatchStatus
from tipoff.domain.quote import Quote
from tipoff.errors import InputError
from tipoff.forecast.bootstrap import Estimate
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.prices import compare, last_before
from tipoff.ingest.matching import match_quotes
from tipoff.ingest.quotes import read_quotes

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
    sealed = {"M1": [(START - 30 * MINUTE, ScoreDistribution(0, 9, 115, 11))]}
    [c] = compare([quote(5)], sealed, {"M1": match})
    assert c.price_log_loss.mean == pytest.approx(0.693147, abs=1e-6)
    assert c.our_log_loss.mean < 0.4
    assert c.line_error is not None
    assert (c.line_error.mean, c.our_error.mean if c.our_error else None) == (12.5, 5.0)
    [push] = compare([quote(5, 120.0)], sealed, {"M1": match})
    assert (push.matches, push.our_log_loss.n) == (1, 0)


def test_a_price_is_compared_with_what_was_sealed_before_it() -> None:
    """A forecast that knew a result which came after the price, and looks clever."""
    match = Match("M1", START, "A", "B", None, None, None, MatchStatus.FINAL, 61, 59)
    early, late = ScoreDistribution(0, 9, 100, 11), ScoreDistribution(0, 9, 119, 11)
    sealed = {"M1": [(START - 2 * MINUTE, late), (START - 30 * MINUTE, early)]}
    for minutes, off in ((1, 1.0), (2, 1.0), (5, 20.0), (30, 20.0)):
        [c] = compare([quote(minutes)], sealed, {"M1": match})
        assert c.our_error is not None
        assert c.our_error.mean == off, minutes
    assert compare([quote(31)], sealed, {"M1": match}) == []


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
    """A total that a bookmaker's line beats; hyper-parameters and results from before each quote."""
    matches, _ = read_folders([recorded_nba])
    found = match_quotes(read_quotes(recorded_nba.parent / "odds_fanduel_totals_2026-07.jsonl"), matches)
    assert not found.unmatched
    window = Window(dt.date(2026, 7, 5), dt.date(2026, 7, 6), dt.date(2026, 8, 5), lead=2)
    filter_ = GaussianFilter()
    run_backtest(matches, window, [filter_])
    made = compare_with_market(filter_.params_, matches, found.quotes, window)
    assert made.left_out == {IN_PLAY: 185, SOMETHING_ELSE: 6}
    [group] = made.groups
    last = next(one for one in group.compared if one.selection == "last")
    with capsys.disabled():
        print(f"\n{last.matches} matches with a price before the start: {dataclasses.asdict(last)}")
    assert (last.matches, last.prices) == (357, 357)
    assert last.error["market"].mean == pytest.approx(8.97, abs=0.005)
    assert last.error["model"].mean < last.error["market"].mean
    assert last.log_loss["market"].mean == pytest.approx(0.6930, abs=5e-5)
    assert last.log_loss["model"].mean <= 0.685
    assert last.log_loss_difference["model"].mean < 0
    assert {e.n for e in (*last.error.values(), *last.log_loss.values())} == {357}
    page = " ".join((ROOT / "docs" / "posted-prices.md").read_text().split())
    for sentence in told(group):
        assert sentence in page, sentence


def told(group: Group) -> list[str]:
    """What docs/posted-prices.md has to say of it."""
    last, _, every = group.compared
    rows = [
        " | ".join(["| over/under log loss", *(shown(e, ".4f") for e in last.log_loss.values())]),
        " | ".join(["| less FanDuel's |", *(shown(e, "+.4f") for e in last.log_loss_difference.values())]),
        " | ".join(["| MAE, points", *(shown(e, ".2f") for e in last.error.values())]),
        " | ".join(["| less the line's |", *(shown(e, "+.2f") for e in last.error_difference.values())]),
    ]
    loss, error, paper, moved = (
        every.log_loss_difference["model"], every.error_difference["model"], group.stakes, group.moved
    )  # fmt: skip
    worse = {name for name, e in (*last.log_loss_difference.items(), *last.error_difference.items()) if e.high < 0}
    return [
        *rows, f"On all {every.prices} prices", f"{shown(loss, '+.3f')} and {shown(error, '+.2f', ' points')}",
        f"{paper.bets} bets returned {shown(paper.returned, '+.3f', ' a unit')} where", "" if worse else "hold zero",
        f"expected {paper.expected.mean:+.3f}: what", f"margin of {100 * last.overround:.1f} %",
        f"Five prices moved, four of them towards the forecast ({100 * moved.towards_low:.0f} % to",
    ]  # fmt: skip


def shown(e: Estimate, form: str, unit: str = "") -> str:
    """As the page writes it."""
    return f"{e.mean:{form}}{unit} ({e.low:{form}} to {e.high:{form}})"


def test_the_example_of_the_page_is_a_file_of_prices(tmp_path: Path) -> None:
    """An example that the command refuses."""
    page = (ROOT / "docs" / "posted-prices.md").read_text()
    [example] = re.findall(r"(?s)```json\n(.*?)```", page)
    (tmp_path / "a.jsonl").write_text(example)
    [one] = read_quotes(tmp_path / "a.jsonl")
    assert (one.market, one.player_a, one.line, one.over) == ("total", "HOLLOW", 99.5, 1.83)
