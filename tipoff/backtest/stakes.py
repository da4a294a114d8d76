"""What flat and Kelly stakes would have become, and whether prices moved towards the forecast afterwards.

Nothing here is a promise: prices on paper are taken without limits and without anybody who answers.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence

import numpy as np

from tipoff.backtest.posted import Said
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.interval import wilson
from tipoff.forecast.normal import ndtr
from tipoff.forecast.odds import Bet, bet
from tipoff.forecast.table import minutes

FRACTION, CAP = 0.25, 0.05
"""of a full Kelly stake a quarter, at most that share of the bankroll"""


@dataclasses.dataclass(frozen=True, slots=True)
class Stakes:
    """One bet at most on each match: at the first price from which the forecast expects more than nothing.

    Flat stakes are one unit each; Kelly stakes a share of the bankroll (1 at the beginning) that is not at stake.
    """

    bets: int
    expected: Estimate
    """return on a unit that the forecast expected"""
    returned: Estimate
    """return on a unit that came"""
    flat_balance: float
    """units after all bets, from 0"""
    flat_drawdown: float
    """units from the highest balance to the lowest after it"""
    kelly_bankroll: float
    kelly_drawdown: float
    """share of the highest bankroll"""


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    """Prices that moved before the start, first against last, seen from the side that the forecast leaned to.

    The last price is read as a Gaussian with the forecast's deviation, so that lines that differ can be compared.
    """

    n: int
    points: Estimate
    """by how much the market's mean moved towards the forecast's side"""
    closing_value: Estimate
    """the first price times the closing probability of its side, less 1"""
    towards: float
    towards_low: float
    towards_high: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Taken:
    said: Said
    over: bool
    bet: Bet

    @property
    def returned(self) -> float:
        """Of a unit."""
        if self.said.beyond == 0:
            return 0.0
        return self.bet.price - 1 if (self.said.beyond > 0) == self.over else -1.0


def stakes(said: Sequence[Said]) -> Stakes:
    """Bets on one bookmaker's market, from prices in order of time."""
    taken = _take(said)
    days = _days([t.said for t in taken])
    returns = np.array([t.returned for t in taken])
    settled = sorted(taken, key=lambda t: (t.said.match.knowable_at, t.said.match.external_id))
    balance = np.cumsum([0.0, *(t.returned for t in settled)])
    bankroll, fall = _kelly(taken)
    return Stakes(
        len(taken), day_block_mean(np.array([t.bet.expected for t in taken]), days), day_block_mean(returns, days),
        float(balance[-1]), float((np.maximum.accumulate(balance) - balance).max()), bankroll, fall,
    )  # fmt: skip


def _take(said: Sequence[Said]) -> list[_Taken]:
    taken: dict[str, _Taken] = {}
    for one in said:
        if one.quote.external_id in taken:
            continue
        line, p = one.line, one.market_p
        sides = (
            _Taken(one, True, bet(one.quote.over, line.over, line.push, p, FRACTION, CAP)),
            _Taken(one, False, bet(one.quote.under, line.under, line.push, 1 - p, FRACTION, CAP)),
        )
        better = max(sides, key=lambda side: side.bet.expected)
        if better.bet.expected > 0:
            taken[one.quote.external_id] = better
    return list(taken.values())


def _kelly(taken: Sequence[_Taken]) -> tuple[float, float]:
    """The bankroll in the end and its deepest fall; a stake is settled when its result is knowable."""
    free, open_stakes = 1.0, 0.0
    highest, fall = 1.0, 0.0
    waiting: list[tuple[float, int, float, float]] = []

    def settle(until: float) -> None:
        nonlocal free, open_stakes, highest, fall
        while waiting and waiting[0][0] <= until:
            _, _, stake, returned = heapq.heappop(waiting)
            open_stakes -= stake
            free += stake * (1 + returned)
            highest = max(highest, free + open_stakes)
            fall = max(fall, 1 - (free + open_stakes) / highest)

    for number, one in enumerate(taken):
        settle(one.said.quote.quoted_at.timestamp())
        stake = free * one.bet.stake
        free, open_stakes = free - stake, open_stakes + stake
        heapq.heappush(waiting, (one.said.match.knowable_at.timestamp(), number, stake, one.returned))
    settle(float("inf"))
    return free, fall


def moved(said: Sequence[Said]) -> Moved:
    """First against last price of each match, of one bookmaker's market, in order of time."""
    ends: dict[str, tuple[Said, Said]] = {}
    for one in said:
        first, _ = ends.get(one.quote.external_id, (one, one))
        ends[one.quote.external_id] = (first, one)
    changed = [(a, b) for a, b in ends.values() if _terms(a) != _terms(b)]
    points, values = [], []
    for first, last in changed:
        over = first.model_p > first.market_p
        sign = 1 if over else -1
        points.append(sign * (last.market_mean - first.market_mean))
        closing = float(ndtr(sign * (last.market_mean - first.threshold) / last.sd))
        values.append((first.quote.over if over else first.quote.under) * closing - 1)
    days, n = _days([first for first, _ in changed]), len(changed)
    share = sum(p > 0 for p in points) / n if n else float("nan")
    low, high = wilson(share, n) if n else (float("nan"), float("nan"))
    return Moved(
        n, day_block_mean(np.array(points), days), day_block_mean(np.array(values), days), share, low, high
    )  # fmt: skip


def _terms(one: Said) -> tuple[float | None, float, float]:
    return one.quote.line, one.quote.over, one.quote.under


def _days(said: Sequence[Said]) -> np.ndarray:
    return np.array([minutes(one.match.start) // 1440 for one in said], dtype=np.int64)
