"""The 2025 wire dialect over the same book, behind a guest token."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tipoff.league import schedule
from tipoff.league.book import BookedMatch, MatchBook


def rows(book: MatchBook, kind: str, begin: dt.datetime, end: dt.datetime, now: dt.datetime) -> list[dict[str, Any]]:
    """Played matches, or all published fixtures (played ones too), from begin to end, oldest first."""
    found = book.matches(begin, end + dt.timedelta(minutes=1))
    if kind == "fixture":
        return [_fixture(m) for m in found if m.published_at <= now and not _gone(m, now)]
    return [_match(m, now) for m in found if schedule.over(m, now)]


def _gone(match: BookedMatch, now: dt.datetime) -> bool:
    return match.withdrawn_at is not None and now >= match.withdrawn_at


def _fixture(match: BookedMatch) -> dict[str, Any]:
    start = match.start.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "sport": "NBA",
        "tournamentName": "Ebasketball H2H GG League",
        "tournamentId": 1,
        "avaStreamId": (match.stream or "").lower().replace("ebasketball ", "sis-nba-"),
        "fixtureStart": start,
        "startDate": start,
        "externalId": match.external_id,
        "fixtureExternalId": match.external_id,
        "homeParticipantName": match.player_a,
        "awayParticipantName": match.player_b,
        "homeTeamName": match.team_a,
        "awayTeamName": match.team_b,
        "streamName": match.stream,
    }


def _match(match: BookedMatch, now: dt.datetime) -> dict[str, Any]:
    shown = schedule.row(match, now)
    a, b = shown["teamAScore"], shown["teamBScore"]
    played = {key: value for key, value in _fixture(match).items() if key not in ("externalId", "streamName")}
    return played | {
        "homeScore": a,
        "awayScore": b,
        "result": "home_win" if a > b else "away_win",
        "matchEnded": None,
        "matchAbandoned": None,
    }
