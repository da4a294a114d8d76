"""Rows in the shape of the wire, with invented names."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from tipoff.domain.payload import RawPayload

DAY = dt.date(2026, 7, 1)
NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


def row(number: int = 1, *, start: dt.datetime = NOON, **changes: Any) -> dict[str, Any]:
    """An ended match; `changes` replace keys."""
    return {
        "externalId": f"NB{number:03d}{start:%d%m%y}",
        "startDate": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "isCancelled": False,
        "teamAName": "Harbor Herons",
        "teamBName": "Granite Rams",
        "participantAName": f"PLAYER {number % 7}",
        "participantBName": f"RIVAL {number % 5}",
        "streamName": "Ebasketball 1",
        "tournamentName": "Ebasketball H2H GG League",
        "matchStatus": "MATCH_ENDED",
        "teamAScore": 55,
        "teamBScore": 51,
    } | changes


def fixture(number: int, start: dt.datetime, **changes: Any) -> dict[str, Any]:
    """A match to come."""
    return row(number, start=start, matchStatus=None, teamAScore=None, teamBScore=None, **changes)


def payload(rows: Any, fetched_at: dt.datetime, day: dt.date = DAY, dialect: str = "h2h-2026") -> RawPayload:
    """Rows as a server's answer."""
    body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
    return RawPayload("test", dialect, "schedule", day, fetched_at, body)
