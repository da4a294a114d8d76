"""How sure a win probability itself is: where it would lie if strengths and form were known exactly.

The margin's variance is that of the states, which more results would narrow, and the noise of one match, which stays.
With the states known the probability would be that of N(mean + deviation x z, noise) for some z of N(0, 1).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tipoff.domain.match import Fixture
from tipoff.forecast.known import KnownState
from tipoff.forecast.normal import ndtr, ndtri

HALF = ndtri(0.9)
UNSURE, GUESS = 0.42, 0.52
"""widths of the interval; nine of ten forecasts of players with 20 known results or more are narrower than 0.41"""


@dataclasses.dataclass(frozen=True, slots=True)
class Certainty:
    """The 80 % interval of P(A wins) with the strengths of both known exactly, and what it means in words."""

    low: float
    high: float
    words: str


def certainties(state: KnownState, fixtures: Sequence[Fixture]) -> list[Certainty]:
    """How sure the win probability of each fixture is, in the order given."""
    return [
        certainty(fixture, *one.signal(state.arrays, 0), float(one.noise[0]))
        for fixture, one in zip(fixtures, state.parts(fixtures), strict=True)
    ]


def certainty(fixture: Fixture, mean: float, state_variance: float, noise: float) -> Certainty:
    """From the margin's mean in points and its two variances in points squared."""
    reach = HALF * np.sqrt(max(state_variance, 0.0))
    low, high = ndtr(np.array([mean - reach, mean + reach]) / np.sqrt(noise)).tolist()
    width = high - low
    how = (
        ""
        if width < UNSURE
        else " Less is known than usual."
        if width < GUESS
        else " It is hardly more than a guess."
    )
    return Certainty(
        low, high,
        f"If we knew exactly how good both are today, {fixture.player_a}'s chance would lie between {_percent(low)} "
        f"and {_percent(high)} in four of five such matches.{how}",
    )  # fmt: skip


def _percent(p: float) -> str:
    return f"{min(max(round(100 * p), 1), 99)}%"
