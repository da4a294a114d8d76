"""Stakes on paper, prices that moved, and the blend, worked through by hand."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import grimp
import numpy as np
import pytest

from tipoff.backtest.market import compare_with_market
from tipoff.backtest.posted import Said
from tipoff.backtest.run import Window
from tipoff.backtest.stakes import moved, stakes
from tipoff.cli.backtest import choose
from tipoff.domain.match import Match, MatchStatus
from tipoff.domain.quote import Quote
from tipoff.errors import InputError, ModelFileError
from tipoff.forecast import blend
from tipoff.forecast.blend import MarketBlend, Outcomes, Views
from tipoff.forecast.distribution import Line
from tipoff.forecast.model import read_model
from tipoff.forecast.odds import shin
from tipoff.forecast.params import BUILT_IN

NOON = dt.datetime(2026, 7, 8, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def said(number: int, came: int, *, over: float = 2.1, under: float = 1.8, p: float = 0.5, line: float = 100.0,
         before: float = 10, mean: float = 100.0) -> Said:  # fmt: skip
    """A total of match `number`, one an hour, whose points are `came`; we say `p` to over and a tenth to a push."""
    start = NOON + number * 60 * MINUTE
    match = Match(f"M{number}", start, "A", "B", None, None, None, MatchStatus.FINAL, came - 20, 20)
    quote = Quote(match.external_id, "Book", "total", line, over, under, start - before * MINUTE)
    chances = Line(p, 0.1, 0.9 - p)
    return Said(quote, match, chances, shin((over, under))[0], line, came, mean, 10.0)


def test_flat_stakes_and_their_deepest_fall() -> None:
    """A push that counts as lost, a fall that is measured from nought."""
    found = stakes([said(0, 120), said(1, 80), said(2, 100), said(3, 80), said(4, 130)])
    assert found.bets == 5
    assert found.expected.mean == pytest.approx(0.5 * 1.1 - 0.4)
    assert found.returned.mean == pytest.approx((1.1 - 1 + 0 - 1 + 1.1) / 5)
    assert found.flat_balance == pytest.approx(0.2)
    assert found.flat_drawdown == pytest.approx(2.0)
    assert stakes([said(0, 80), said(1, 120)]).flat_drawdown == pytest.approx(1.0)


def test_kelly_stakes_a_share_of_what_is_free() -> None:
    """A bankroll that is at stake twice at the same time; a stake that is paid before the result."""
    edge, decided = 0.5 * 1.1 - 0.4, 0.9
    share = min(0.25 * edge / (1.1 * decided), 0.05)
    one_by_one = stakes([said(0, 120), said(1, 80)])
    assert one_by_one.kelly_bankroll == pytest.approx((1 + 1.1 * share) * (1 - share))
    assert one_by_one.kelly_drawdown == pytest.approx(share)
    together = stakes([said(0, 120, before=200), said(1, 80, before=200)])
    assert together.kelly_bankroll == pytest.approx(1 + 1.1 * share - (1 - share) * share)


def test_one_bet_a_match_at_the_first_price_that_is_worth_it() -> None:
    """The same match three times, or the best of all prices in hindsight."""
    found = stakes([said(0, 120, over=1.5, under=1.5, before=30), said(0, 120, over=2.0, before=20),
                    said(0, 120, over=3.0), said(1, 80, over=1.5, under=1.5)])  # fmt: skip
    assert (found.bets, found.flat_balance) == (1, 1.0)
    under = stakes([said(0, 80, over=1.5, under=3.0, p=0.4)])
    assert (under.bets, under.flat_balance) == (1, 2.0)


def test_prices_that_moved_are_seen_from_our_side() -> None:
    """A line that went up when we had said under, counted as agreement; one that stayed."""
    up = [said(0, 120, over=1.9, under=1.9, before=60), said(0, 120, over=1.9, under=1.9, line=102.0)]
    down = [said(1, 90, over=1.9, under=1.9, p=0.3, before=60), said(1, 90, over=1.9, under=1.9, p=0.3, line=103.0)]
    still = [said(2, 90, before=60), said(2, 90)]
    found = moved([*up, *down, *still])
    assert (found.n, found.towards) == (2, 0.5)
    assert found.points.mean == pytest.approx((2 - 3) / 2)
    closing = (0.5792597, 0.3820886)
    assert found.closing_value.mean == pytest.approx(1.9 * sum(closing) / 2 - 1, abs=1e-6)


def views(n: int, rng: np.random.Generator, model: float, market: float) -> tuple[Views, Outcomes]:
    """n markets whose truth is a weighing of both."""
    a, b = rng.normal(0, 1, n), rng.normal(0, 1, n)
    p = 1 / (1 + np.exp(-(model * a + market * b)))
    went = rng.random(n) < p
    means = rng.normal(100, 5, n), rng.normal(100, 5, n)
    value = model * means[0] + (1 - model) * means[1] + rng.normal(0, 10, n)
    return (
        Views(1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b)), *means, np.full(n, 10.0)),
        Outcomes(value, np.where(went, 1.0, -1.0)),
    )


def test_the_blend_finds_whom_to_trust_and_begins_with_both() -> None:
    """Weights that wander off on nothing; weights that never move."""
    rng = np.random.default_rng(3)
    nothing = MarketBlend().fit(*views(0, rng, 1, 0))
    assert (list(nothing.weights_), nothing.share_) == ([0.5, 0.5], 0.5)
    much = MarketBlend().fit(*views(6000, rng, 0.9, 0.1))
    assert much.weights_ == pytest.approx([0.9, 0.1], abs=0.1)
    assert much.share_ == pytest.approx(0.9, abs=0.06)


def test_a_model_that_takes_prices_can_never_be_champion() -> None:
    """A record that claims independence, kept by a model that reads the bookmaker."""
    assert MarketBlend.takes_prices
    assert not hasattr(MarketBlend, "walk")
    with pytest.raises(InputError, match="no model"):
        choose([MarketBlend.name])
    document = {"kind": MarketBlend.name, "format": 1, "params": vars(MarketBlend())}
    with pytest.raises(ModelFileError, match="not a model"):
        read_model(json.dumps(document).encode(), lambda _: b"")
    graph = grimp.build_graph("tipoff", cache_dir=None)
    assert graph.find_modules_that_directly_import(blend.__name__) <= {
        "tipoff.backtest.market", "tipoff.backtest.posted"
    }  # fmt: skip
    for room in ("tipoff.pipeline", "tipoff.jobs", "tipoff.ledger", "tipoff.api", "tipoff.web", "tipoff.app"):
        chain = graph.find_shortest_chain(room, blend.__name__, as_packages=True)
        assert chain is None, chain


def test_nothing_to_compare_is_said_and_no_error() -> None:
    """A crash on the first day of a file."""
    one = said(0, 120)
    void = dataclasses.replace(one.match, status=MatchStatus.VOID)
    window = Window(NOON.date() - dt.timedelta(days=1), NOON.date(), NOON.date())
    made = compare_with_market(BUILT_IN, [void], [one.quote], window)
    assert (made.groups, made.left_out, made.prices) == ([], {"no result": 1}, 1)
