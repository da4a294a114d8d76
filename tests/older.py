"""Older results and details of matches in tests: a league on loopback, and a source of each generation on it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from tests.wire import row
from tipoff.clock import FixedClock
from tipoff.domain.match import Match
from tipoff.domain.payload import HISTORY, RawPayload
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.upstream.h2h2025 import H2H2025Source
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners
from tipoff.upstream.token import TokenProvider

NOW = dt.datetime(2026, 7, 10, 14, 1, tzinfo=dt.UTC)
TODAY = NOW.date()
DAY = dt.timedelta(days=1)
HASTY = Manners(spacing=0, sleep=lambda _: None, read_timeout=0.5, attempts=2)
"""a client that neither waits nor has patience"""


@pytest.fixture
def app() -> LeagueApp:
    """A league whose clock stands still."""
    return LeagueApp(League(), FixedClock(NOW))


@pytest.fixture
def url(app: LeagueApp) -> Iterator[str]:
    """Where it is served."""
    with league_server(app) as base_url:
        yield base_url


def source_2026(url: str, at: dt.datetime = NOW) -> H2H2026Source:
    """The 2026 client, at that time."""
    return H2H2026Source(url, FixedClock(at), HASTY)


def source_2025(url: str) -> H2H2025Source:
    """The 2025 client, with the league's guest token."""
    return H2H2025Source(url, TokenProvider(SecretStr("guest"), None), FixedClock(NOW), HASTY)


def wire_2026(match: Match, **changes: object) -> dict[str, object]:
    """A result as the 2026 API tells it."""
    told = row(
        start=match.start, externalId=match.external_id, participantAName=match.player_a,
        participantBName=match.player_b, teamAName=match.team_a, teamBName=match.team_b, streamName=match.stream,
        teamAScore=match.score_a, teamBScore=match.score_b,
    )  # fmt: skip
    return {**told, **changes}


def wire_2025(match: Match, **changes: object) -> dict[str, object]:
    """The same as the 2025 API tells it."""
    return {
        "fixtureExternalId": match.external_id, "startDate": match.start.isoformat(),
        "homeParticipantName": match.player_a, "awayParticipantName": match.player_b,
        "homeTeamName": match.team_a, "awayTeamName": match.team_b,
        "avaStreamId": f"sis-nba-{(match.stream or '')[-1:]}", "homeScore": match.score_a, "awayScore": match.score_b,
        "matchEnded": None, "matchAbandoned": None, **changes,
    }  # fmt: skip


def told_2025(rows: list[dict[str, object]], at: dt.datetime, day: dt.date | None = None) -> RawPayload:
    """An answer as tipoff history fetch keeps it."""
    body = json.dumps(rows).encode()
    return RawPayload("h2h-2025-history", "h2h-2025", HISTORY, day or at.date(), at, body)


def told_2026(rows: list[dict[str, object]], at: dt.datetime, day: dt.date | None = None) -> RawPayload:
    """An answer of the league's own feed."""
    answer = told_2025(rows, at, day)
    return dataclasses.replace(answer, source="h2h-2026", dialect="h2h-2026", resource="schedule")
