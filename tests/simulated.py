"""Matches of the simulated league as the rest of Tipoff knows them."""

from __future__ import annotations

import datetime as dt

from tipoff.domain.match import Match, MatchStatus
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings

BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def simulate(days: int, settings: LeagueSettings | None = None) -> tuple[list[Match], dict[str, float]]:
    """Final matches of `days` days from BEGIN, and the true P(A wins) by external id."""
    booked = League(settings).matches(BEGIN, BEGIN + dt.timedelta(days=days))
    ended = [m for m in booked if m.withdrawn_at is None and m.status == "MATCH_ENDED" and m.score_a != m.score_b]
    truth = {m.external_id: m.p_true for m in ended if m.p_true is not None}
    return [
        Match(
            m.external_id, m.start, m.player_a, m.player_b, m.team_a, m.team_b, m.stream, MatchStatus.FINAL,
            m.score_a, m.score_b,
        )
        for m in ended
    ], truth  # fmt: skip
