"""Results since 2023 from the 2025 API, kept apart in the raw archive so that everybody can leave them out."""

from __future__ import annotations

import dataclasses
import datetime as dt

from tipoff.domain.payload import HISTORY, RawPayload
from tipoff.upstream.h2h2025 import H2H2025Source


class OlderResults:
    """What `source` says of days that are over."""

    def __init__(self, source: H2H2025Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """A name of its own, so that neither source takes the other's days for its own."""
        return f"{self._source.name}-history"

    def fetch_day(self, day: dt.date) -> list[RawPayload]:
        """Matches played on one UTC day; raises as the source does."""
        return [
            dataclasses.replace(answer, source=self.name, resource=HISTORY)
            for answer in self._source.fetch_day(day)
            if answer.resource == "match"
        ]

    def close(self) -> None:
        """Give back connections."""
        self._source.close()
