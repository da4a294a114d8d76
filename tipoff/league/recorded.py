"""Recorded days as a book, so that the server can replay them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from tipoff.errors import InputError
from tipoff.league.book import BookedMatch

SHOWS_AFTER = dt.timedelta(minutes=28)


class RecordedBook:
    """A folder of YYYY-MM-DD.json, each the raw array of the schedule endpoint."""

    def __init__(self, folder: Path) -> None:
        found: list[BookedMatch] = []
        for path in sorted(folder.glob("????-??-??.json")):
            try:
                found += [_booked(row) for row in json.loads(path.read_text()) if row["matchStatus"] is not None]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path} is not a recorded day: {error}") from error
        if not found:
            raise InputError(f"{folder} holds no recorded days (files named YYYY-MM-DD.json)")
        self._matches = sorted(found, key=lambda m: (m.start, m.external_id))

    @property
    def end(self) -> dt.datetime:
        """When the last result shows."""
        return self._matches[-1].ended_at

    def matches(self, begin: dt.datetime, end: dt.datetime) -> list[BookedMatch]:
        """Matches that start in [begin, end), by start."""
        return [match for match in self._matches if begin <= match.start < end]

    def players(self) -> list[str]:
        """Every handle, sorted."""
        return sorted({name for m in self._matches for name in (m.player_a, m.player_b)})


def _booked(row: dict[str, Any]) -> BookedMatch:
    start = dt.datetime.fromisoformat(row["startDate"]).astimezone(dt.UTC)
    return BookedMatch(
        external_id=row["externalId"], start=start, player_a=row["participantAName"],
        player_b=row["participantBName"], team_a=row["teamAName"], team_b=row["teamBName"],
        stream=row["streamName"], published_at=start.replace(hour=0, minute=0) - dt.timedelta(hours=12),
        ended_at=start + SHOWS_AFTER, status=row["matchStatus"], score_a=row["teamAScore"],
        score_b=row["teamBScore"],
    )  # fmt: skip
