"""Matches of the simulated league as the rest of Tipoff knows them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

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


def with_newcomers(matches: Sequence[Match], days: int = 10) -> list[Match]:
    """The same league with a break of `days` days in the middle; then each tenth match is of somebody new, four each.

    Whoever is first seen in the first ten days of the data was only unseen: without a break nobody here is new.
    """
    middle = len(matches) // 2
    later = [dataclasses.replace(m, start=m.start + dt.timedelta(days=days)) for m in matches[middle:]]
    later[::10] = [dataclasses.replace(m, player_a=f"NEW {i // 4}") for i, m in enumerate(later[::10])]
    return [*matches[:middle], *later]
