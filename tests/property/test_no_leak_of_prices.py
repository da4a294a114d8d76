"""At the moment of a price nothing is known that was not knowable then: not by the forecast, not by the blend.

Results that were not knowable at a cut-off are falsified; whatever was said until then must not change by a bit.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import random

import pytest

from tests.posted import book
from tests.simulated import simulate
from tipoff.backtest.market import _blended, compare_with_market
from tipoff.backtest.posted import IN_PLAY, TOO_EARLY, Said, at_each_price, before_the_start
from tipoff.backtest.report import as_json
from tipoff.backtest.run import Window
from tipoff.domain.match import Match
from tipoff.domain.quote import Quote
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import state_after
from tipoff.forecast.table import in_order

FIRST, LAST = dt.date(2026, 3, 3), dt.date(2026, 3, 6)
WINDOW = Window(dt.date(2026, 3, 1), FIRST, LAST)


@functools.cache
def league() -> tuple[list[Match], list[Quote]]:
    """Six days, and what a bookmaker posted of them."""
    matches, truth = simulate(6)
    return in_order(matches), book(in_order(matches), truth)


def said(matches: list[Match], quotes: list[Quote]) -> list[Said]:
    """Everything said of the prices before the start."""
    return at_each_price(BUILT_IN, matches, before_the_start(quotes, matches, WINDOW)[0])[0]


@functools.cache
def told() -> list[Said]:
    """The truth of it."""
    return said(*league())


def views(found: list[Said], until: dt.datetime) -> list[tuple[object, ...]]:
    """What forecast and blend said until then, exactly; not what came."""
    return [
        (one.said.quote, one.said.line, one.said.mean, one.said.sd, one.blend_p, one.blend_mean)
        for one in _blended(found) if one.said.quote.quoted_at <= until
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(6))
def test_results_that_were_not_knowable_change_nothing(number: int) -> None:
    """A forecast that saw the match before it while that was still being played."""
    matches, quotes = league()
    rng = random.Random(number)
    cut = matches[0].start + dt.timedelta(minutes=rng.randint(3 * 1440, 6 * 1440))
    spoiled = [m if m.knowable_at <= cut else dataclasses.replace(m, score_a=rng.randint(150, 250)) for m in matches]
    assert views(said(spoiled, quotes), cut) == views(told(), cut)
    assert len(views(told(), cut)) > 100


def test_results_that_were_knowable_are_used() -> None:
    """A leak test that nothing can fail, for nothing is ever learned."""
    matches, quotes = league()
    one = told()[400]
    newest = max((m for m in matches if m.knowable_at <= one.quote.quoted_at), key=lambda m: m.start)
    changed = [m if m != newest else dataclasses.replace(m, score_a=(m.score_b or 0) + 40) for m in matches]
    before = {s.quote: s.mean for s in told()}
    after = {s.quote: s.mean for s in said(changed, quotes)}
    moved = [q for q in before if before[q] != after[q]]
    assert moved
    assert min(q.quoted_at for q in moved) >= newest.knowable_at


def test_it_is_what_live_would_have_said() -> None:
    """A replay that differs from a state that learned the same results in one go."""
    matches, _ = league()
    for one in told()[::97]:
        known = [m for m in matches if m.knowable_at <= one.quote.quoted_at]
        [d] = state_after(BUILT_IN, known).forecast([one.match])
        mean = d.total_mean if one.quote.market == "total" else d.margin_mean
        assert one.mean == pytest.approx(mean, abs=1e-9)


def test_a_price_in_play_is_never_counted() -> None:
    """A line of the third quarter that beats every forecast."""
    matches, quotes = league()
    made = compare_with_market(BUILT_IN, matches, quotes, WINDOW)
    n = sum(FIRST <= m.start.date() <= LAST for m in matches[::6])
    assert made.left_out[IN_PLAY] == 3 * n
    assert {(g.market, c.selection): c.prices for g in made.groups for c in g.compared} == {
        (market, selection): 2 * n if selection == "every" else n
        for market in ("winner", "spread", "total") for selection in ("last", "first", "every")
    }  # fmt: skip


def test_no_price_is_older_than_what_was_fitted_on() -> None:
    """Hyper-parameters that saw the last evening, against a price of that afternoon."""
    matches, quotes = league()
    window = dataclasses.replace(WINDOW, fit_until=FIRST - dt.timedelta(days=1))
    kept, left = before_the_start(quotes, matches, window)
    fitted = max(m.knowable_at for m in matches if m.start.date() <= window.fit_until)
    assert min(quote.quoted_at for quote, _ in kept) >= fitted
    early = [q for q in quotes for m in matches if m.external_id == q.external_id and m.start.date() == FIRST
             and q.quoted_at < min(fitted, m.start)]  # fmt: skip
    assert left[TOO_EARLY] == len(early) > 3


def test_a_quote_that_comes_twice_counts_once() -> None:
    """Two files that overlap, and twice the number of prices."""
    matches, quotes = league()
    once, twice = (as_json(compare_with_market(BUILT_IN, matches, q, WINDOW)) for q in (quotes, [*quotes, *quotes]))
    assert once == twice


def test_the_blend_is_better_than_a_market_that_knows_half() -> None:
    """A blend that never learns whom to trust."""
    matches, quotes = league()
    made = compare_with_market(BUILT_IN, matches, quotes, WINDOW)
    found = {g.market: g.compared[0] for g in made.groups}
    total = found["total"]
    assert total.error_difference["model"].high < 0
    assert total.log_loss_difference["blend"].high < 0
    spread = found["spread"]
    assert spread.pushes > 0
    assert spread.log_loss["blend"].n == spread.error["blend"].n - spread.pushes
    winner = found["winner"]
    assert winner.log_loss["blend"].mean < max(winner.log_loss["model"].mean, winner.log_loss["market"].mean)
    assert winner.error == {}
