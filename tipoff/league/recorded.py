"""Recorded days as a book, so that the server can replay them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

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


def _booked(row: dict[str, object]) -> BookedMatch:
    start = dt.datetime.fromisoformat(str(row["startDate"])).astimezone(dt.UTC)
    midnight = start.replace(hour=0, minute=0)
    names = [row[key] for key in ("participantAName", "participantBName")]
    teams = [row[key] if row[key] is None else str(row[key]) for key in ("teamAName", "teamBName", "streamName")]
    return BookedMatch(
        str(row["externalId"]), start, str(names[0]), str(names[1]), *teams,
        published_at=midnight - dt.timedelta(hours=12), ended_at=start + SHOWS_AFTER,
        status=str(row["matchStatus"]), score_a=int(str(row["teamAScore"])), score_b=int(str(row["teamBScore"])),
    )  # type: ignore[arg-type]  # fmt: skip
