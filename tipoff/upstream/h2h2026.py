"""The league's 2026 API: no token, one UTC day at a time, about two months back."""

from __future__ import annotations

import datetime as dt

import httpx

from tipoff.clock import Clock
from tipoff.domain.payload import DETAIL, RawPayload
from tipoff.errors import TerminalUpstreamError
from tipoff.upstream.http import Manners, PoliteClient

WINDOW = dt.timedelta(days=61)
NO_DATA = (httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND)


class H2H2026Source:
    """`base_url` may be the real league's or the built-in league's."""

    def __init__(self, base_url: str, clock: Clock, manners: Manners | None = None, label: str = "h2h-2026") -> None:
        self._client, self._clock, self._label = PoliteClient(base_url, manners or Manners()), clock, label

    @property
    def name(self) -> str:
        """What the raw archive calls this source."""
        return self._label

    def fetch_day(self, day: dt.date) -> list[RawPayload]:
        """The schedule of one UTC day; nothing outside the league's window of 61 days back to tomorrow.

        Raises TransientUpstreamError or TerminalUpstreamError.
        """
        today = self._clock.now().date()
        if not today - WINDOW <= day <= today + dt.timedelta(days=1):
            return []
        answer = self._client.get("/schedule/nba", {"date": f"{day.isoformat()}T00:00:00Z"})
        if answer.status_code in NO_DATA:
            return []
        if answer.status_code != httpx.codes.OK:
            raise TerminalUpstreamError(f"{self._label}: HTTP {answer.status_code} for {day}; not asking again")
        return [RawPayload(self._label, "h2h-2026", "schedule", day, self._clock.now(), answer.content)]

    def fetch_details(self, external_id: str, day: dt.date) -> RawPayload | None:
        """What the league says of a match of that day; None where it has nothing. Raises as `fetch_day`."""
        answer = self._client.get("/match/stats/nba", {"external_id": external_id})
        if answer.status_code in NO_DATA:
            return None
        if answer.status_code != httpx.codes.OK:
            raise TerminalUpstreamError(f"{self._label}: HTTP {answer.status_code} for {external_id}")
        return RawPayload(self._label, "h2h-2026", f"{DETAIL}{external_id}", day, self._clock.now(), answer.content)

    def close(self) -> None:
        """Give back connections."""
        self._client.close()
