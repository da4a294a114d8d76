"""What the league's server would answer at a moment: pure functions of the book, the window and now."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tipoff.league.book import BookedMatch, MatchBook

HORIZON = dt.timedelta(minutes=60)
WINDOW_DAYS = 61
DAY = dt.timedelta(days=1)


def day_view(book: MatchBook, begin: dt.datetime, now: dt.datetime) -> list[dict[str, Any]]:
    """The schedule of [begin, begin + 24 h) in wire form, newest first.

    Matches in progress are missing; where the window contains now, fixtures show an hour ahead; in later
    windows all that is published shows; days more than 61 days back are empty.
    """
    if begin < now - (WINDOW_DAYS + 1) * DAY:
        return []
    today = begin <= now < begin + DAY
    until = now + HORIZON if today else begin + DAY
    shown = [m for m in book.matches(begin, begin + DAY) if over(m, now) or (upcoming(m, now) and m.start <= until)]
    return [row(match, now) for match in shown[::-1]]


def over(match: BookedMatch, now: dt.datetime) -> bool:
    """Whether the result shows."""
    return match.withdrawn_at is None and now >= match.ended_at


def upcoming(match: BookedMatch, now: dt.datetime) -> bool:
    """Whether the match is published, not withdrawn and not begun."""
    gone = match.withdrawn_at is not None and now >= match.withdrawn_at
    return match.published_at <= now < match.start and not gone


def row(match: BookedMatch, now: dt.datetime) -> dict[str, Any]:
    """The twelve keys of a schedule row, in the order of the wire."""
    status, a, b = (match.status, match.score_a, match.score_b) if over(match, now) else (None, None, None)
    if status is not None and match.correction is not None and now >= match.correction.at:
        a, b = match.correction.score_a, match.correction.score_b
    return {
        "externalId": match.external_id,
        "startDate": match.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "isCancelled": False,
        "teamAName": match.team_a,
        "teamBName": match.team_b,
        "participantAName": match.player_a,
        "participantBName": match.player_b,
        "streamName": match.stream,
        "tournamentName": "Ebasketball H2H GG League",
        "matchStatus": status,
        "teamAScore": a,
        "teamBScore": b,
    }


def past(book: MatchBook, now: dt.datetime, limit: int, player: str | None) -> list[dict[str, Any]]:
    """The newest results, newest first."""
    found = [m for m in book.matches(now - 2 * DAY, now) if over(m, now) and _of(m, player)]
    return [row(m, now) for m in found[::-1][:limit]]


def coming(book: MatchBook, now: dt.datetime, player: str | None) -> list[dict[str, Any]]:
    """About ten fixtures, soonest first."""
    found = [m for m in book.matches(now, now + HORIZON) if upcoming(m, now) and _of(m, player)]
    return [row(m, now) for m in found[:10]]


def live(book: MatchBook, now: dt.datetime) -> list[dict[str, Any]]:
    """One entry a stream: the match in progress, or the next one."""
    shown: dict[str | None, dict[str, Any]] = {}
    for match in book.matches(now - HORIZON, now + HORIZON):
        running = match.start <= now < match.ended_at and match.withdrawn_at is None
        if not running and not upcoming(match, now):
            continue
        share = min((now - match.start) / (match.ended_at - match.start), 1.0) if running else 0.0
        shown.setdefault(match.stream, {
            **{key: value for key, value in row(match, now).items() if key in LIVE_KEYS},
            "status": "live" if running else "not_started",
            "teamAScore": int(match.score_a * share) if running else None,
            "teamBScore": int(match.score_b * share) if running else None,
        })  # fmt: skip
    return list(shown.values())


LIVE_KEYS = {
    "externalId",
    "streamName",
    "teamAName",
    "teamBName",
    "participantAName",
    "participantBName",
    "startDate",
}


def _of(match: BookedMatch, player: str | None) -> bool:
    return player is None or player in (match.player_a, match.player_b)
