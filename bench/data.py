"""What is measured on: the recorded real matches where they are there, else as many simulated ones."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tipoff.backtest.run import Window
from tipoff.domain.match import Match, MatchStatus
from tipoff.forecast.table import in_order
from tipoff.ingest.parse import parse
from tipoff.league.simulator import League
from tipoff.upstream.recorded import RecordedSource

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "recorded" / "nba"
WINDOW = Window(dt.date(2026, 7, 5), dt.date(2026, 7, 6), dt.date(2026, 8, 5))
"""what real matches are graded on"""
BEGIN = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)


def simulated(count: int) -> list[Match]:
    """The first `count` final matches of the simulated league from February on."""
    days = count // 250 + 3
    booked = League().matches(BEGIN, BEGIN + dt.timedelta(days=days))
    made = [
        Match(
            m.external_id, m.start, m.player_a, m.player_b, m.team_a, m.team_b, m.stream, MatchStatus.FINAL,
            m.score_a, m.score_b,
        )
        for m in booked
        if m.withdrawn_at is None and m.status == "MATCH_ENDED" and m.score_a != m.score_b
    ]  # fmt: skip
    return in_order(made)[:count]


def real(folder: Path = RECORDED) -> list[Match] | None:
    """Every recorded final match, or None where this machine has none."""
    if not folder.is_dir():
        return None
    source = RecordedSource(folder)
    found = [m for day in source.days for answer in source.fetch_day(day) for m in parse(answer).matches]
    return in_order(m for m in found if m.status is MatchStatus.FINAL)
