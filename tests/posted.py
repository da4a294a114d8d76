"""A bookmaker of the simulated league, who knows something of the truth and keeps a margin."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence

from tipoff.domain.match import Match
from tipoff.domain.quote import Quote

MARGIN = 1.04


def book(matches: Sequence[Match], truth: Mapping[str, float], seed: int = 5) -> list[Quote]:
    """Winner, spread and total of every sixth match, each an hour and ten minutes before it and once in play."""
    rng, made = random.Random(seed), []
    for m in matches[::6]:
        p = min(max(truth[m.external_id] + rng.gauss(0, 0.05), 0.05), 0.95)
        prices = (max(1 / (p * MARGIN), 1.01), max(1 / ((1 - p) * MARGIN), 1.01))
        line = round(108 + rng.gauss(0, 4)) + rng.choice((0.0, 0.5))
        for minutes, moved in ((60, 0.0), (10, rng.choice((0.0, 1.0, -1.0))), (-5, 9.0)):
            at = m.start - dt.timedelta(minutes=minutes)
            made += [
                Quote(m.external_id, "Book", "winner", None, *prices, at),
                Quote(m.external_id, "Book", "spread", round((0.5 - p) * 30), 1.9, 1.9, at),
                Quote(m.external_id, "Book", "total", line + moved, 1.9, 1.9, at),
            ]
    return made
