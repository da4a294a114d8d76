"""What the filter would have said when each price was taken, from results that were knowable then."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence

from tipoff.backtest.run import Window
from tipoff.domain.match import Match, MatchStatus
from tipoff.domain.progress import Progress, quiet
from tipoff.domain.quote import Quote
from tipoff.forecast.blend import implied_mean
from tipoff.forecast.distribution import Line, ScoreDistribution
from tipoff.forecast.markets import about, is_of_something_else, price
from tipoff.forecast.odds import shin
from tipoff.forecast.params import Params
from tipoff.forecast.state import FilterState
from tipoff.forecast.table import in_order

IN_PLAY, NO_RESULT, OTHER_DAY = "in play", "no result", "outside the days that are graded"
TOO_EARLY = "posted before all that was fitted was known"
SOMETHING_ELSE = "a line of something else"


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A price before the start, with what the forecast of that moment said of it and what came.

    `value` is what the market is about, in points: the margin (A - B), the total or a side's points.
    """

    quote: Quote
    match: Match
    line: Line
    """our probabilities of over, push and under"""
    market_p: float
    """the price's P(over), a push left out, without the bookmaker's margin (Shin)"""
    threshold: float
    """over means that the value is above it"""
    value: float
    mean: float
    sd: float

    @property
    def model_p(self) -> float:
        """Our P(over), a push left out."""
        return self.line.over / (self.line.over + self.line.under)

    @property
    def beyond(self) -> float:
        """Points by which it went over; 0 is a push."""
        return self.value - self.threshold

    @property
    def market_mean(self) -> float:
        """The price read as a Gaussian with our deviation: its mean in points."""
        return implied_mean(self.market_p, self.threshold, self.sd)


def before_the_start(
    quotes: Iterable[Quote], matches: Iterable[Match], window: Window
) -> tuple[list[tuple[Quote, Match]], dict[str, int]]:
    """Quotes, in order of time, that can be graded: of final matches of the window's days, before the start.

    And how many were left out for which reason. In-play quotes know a part of the score; of a price that was posted
    before the last result that was fitted on was known, the hyper-parameters know more than it could.
    """
    known = {m.external_id: m for m in matches}
    fitted = [m.knowable_at for m in known.values() if m.start.date() <= window.fit_until]
    since = max(fitted, default=dt.datetime.min.replace(tzinfo=dt.UTC))
    kept: list[tuple[Quote, Match]] = []
    left: Counter[str] = Counter()
    for quote in quotes:
        match = known[quote.external_id]
        if not window.first <= match.start.date() <= window.last:
            left[OTHER_DAY] += 1
        elif quote.quoted_at >= match.start:
            left[IN_PLAY] += 1
        elif quote.quoted_at < since:
            left[TOO_EARLY] += 1
        elif match.status is not MatchStatus.FINAL:
            left[NO_RESULT] += 1
        else:
            kept.append((quote, match))
    kept.sort(key=lambda one: (one[0].quoted_at, one[0].external_id, one[0].bookmaker, one[0].market))
    return kept, dict(left)


def at_each_price(
    params: Params, matches: Iterable[Match], quotes: Sequence[tuple[Quote, Match]], progress: Progress = quiet
) -> tuple[list[Said], int]:
    """The forecast of each quote's match at the moment of the quote, which come in order of time.

    The filter learns each result when it was knowable, as it does live. Also how many quotes had a line that is not
    of this match as a whole.
    """
    results = in_order(m for m in matches if m.status is MatchStatus.FINAL)
    state, learned = FilterState.fresh(params), 0
    made: list[Said] = []
    forecasts: dict[str, ScoreDistribution] = {}
    for i, (quote, match) in enumerate(quotes):
        end = learned
        while end < len(results) and results[end].knowable_at <= quote.quoted_at:
            end += 1
        if end > learned:
            state.learn(results[learned:end])
            learned = end
            forecasts.clear()
        if quote.external_id not in forecasts:
            [forecasts[quote.external_id]] = state.forecast([match])
        forecast = forecasts[quote.external_id]
        if not is_of_something_else(forecast, quote.market, quote.line):
            made.append(_said(quote, match, forecast))
        if i % 50 == 0:
            progress(i / len(quotes), f"what was said on {quote.quoted_at:%d %B}")
    progress(1.0, f"{len(made)} prices")
    return made, len(quotes) - len(made)


def _said(quote: Quote, match: Match, d: ScoreDistribution) -> Said:
    a, b = match.score_a or 0, match.score_b or 0
    value = {"winner": a - b, "spread": a - b, "total": a + b, "team_total_a": a, "team_total_b": b}[quote.market]
    threshold, mean, sd = about(d, quote.market, quote.line)
    market_p = shin((quote.over, quote.under))[0]
    return Said(quote, match, price(d, quote.market, quote.line), market_p, threshold, float(value), mean, sd)
