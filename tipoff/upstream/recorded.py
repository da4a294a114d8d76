"""Recorded days: a folder of YYYY-MM-DD.json, each the raw array as the schedule endpoint returned it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tipoff.domain.payload import RawPayload
from tipoff.errors import InputError


class RecordedSource:
    """Files as a source; what a day's file says counts as fetched a day after that day ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder of recorded days (files named YYYY-MM-DD.json)")
        self._days: dict[dt.date, Path] = {}
        for path in sorted(folder.glob("*.json")):
            try:
                self._days[dt.date.fromisoformat(path.stem)] = path
            except ValueError as error:
                raise InputError(f"{path} is not named YYYY-MM-DD.json") from error
        if not self._days:
            raise InputError(f"{folder} holds no file named YYYY-MM-DD.json")

    @property
    def name(self) -> str:
        """The folder."""
        return f"recorded:{self._folder}"

    @property
    def days(self) -> list[dt.date]:
        """The days there are files for, oldest first."""
        return sorted(self._days)

    @property
    def end(self) -> dt.datetime:
        """The end of the recording: midnight UTC after its last day."""
        return dt.datetime.combine(self.days[-1] + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)

    def fetch_day(self, day: dt.date) -> list[RawPayload]:
        """The file of that day verbatim, or nothing."""
        if day not in self._days:
            return []
        fetched = dt.datetime.combine(day + dt.timedelta(days=2), dt.time(), tzinfo=dt.UTC)
        return [RawPayload(self.name, "h2h-2026", "schedule", day, fetched, self._days[day].read_bytes())]

    def close(self) -> None:
        """Nothing is held open."""
