"""The league's 2025 API: any UTC day since August 2023, with a guest token."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

import httpx

from tipoff.clock import Clock
from tipoff.domain.payload import DETAIL, RawPayload
from tipoff.errors import TerminalUpstreamError
from tipoff.upstream.http import Manners, PoliteClient
from tipoff.upstream.token import TokenProvider

FIRST_DAY = dt.date(2023, 8, 9)
NO_DATA = (httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND)


class H2H2025Source:
    """Two questions a day: matches played, and (today and tomorrow) fixtures."""

    def __init__(self, base_url: str, tokens: TokenProvider, clock: Clock, manners: Manners | None = None) -> None:
        self._client, self._tokens, self._clock = PoliteClient(base_url, manners or Manners()), tokens, clock

    @property
    def name(self) -> str:
        """What the raw archive calls this source."""
        return "h2h-2025"

    def fetch_day(self, day: dt.date) -> list[RawPayload]:
        """Matches, and fixtures where some may lie ahead, of one UTC day.

        Raises TransientUpstreamError, or TerminalUpstreamError when a fresh token is refused too.
        """
        today = self._clock.now().date()
        if not FIRST_DAY <= day <= today + dt.timedelta(days=1):
            return []
        kinds = ["match"] if day <= today else []
        kinds += ["fixture"] if day >= today else []
        return [payload for kind in kinds for payload in self._ask(kind, day)]

    def fetch_details(self, external_id: str, day: dt.date) -> RawPayload | None:
        """What the league says of a match of that day; None where it has nothing. Raises as `fetch_day`."""
        answer = self._get(f"/match/{quote(external_id, safe='')}/stats", {})
        if answer.status_code in NO_DATA:
            return None
        if answer.status_code != httpx.codes.OK:
            raise TerminalUpstreamError(f"{self.name}: HTTP {answer.status_code} for {external_id}; not asking again")
        return RawPayload(self.name, "h2h-2025", f"{DETAIL}{external_id}", day, self._clock.now(), answer.content)

    def authenticate(self, refresh: bool) -> None:
        """Have a token, a new one with `refresh`; raises TerminalUpstreamError where none can be had."""
        self._tokens.refresh() if refresh else self._tokens.current()

    def close(self) -> None:
        """Give back connections."""
        self._client.close()

    def _ask(self, kind: str, day: dt.date) -> list[RawPayload]:
        answer = self._get("/schedule", _query(kind, day))
        if answer.status_code in NO_DATA:
            return []
        if answer.status_code != httpx.codes.OK:
            raise TerminalUpstreamError(f"{self.name}: HTTP {answer.status_code} for {day}; not asking again")
        return [RawPayload(self.name, "h2h-2025", kind, day, self._clock.now(), answer.content)]

    def _get(self, path: str, params: dict[str, str]) -> httpx.Response:
        """The answer; a token that is refused is refreshed once."""
        answer = self._client.get(path, params, {"Authorization": f"Bearer {self._tokens.current()}"})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            answer = self._client.get(path, params, {"Authorization": f"Bearer {self._tokens.refresh()}"})
        return answer


def _query(kind: str, day: dt.date) -> dict[str, str]:
    return {
        "schedule-type": kind, "from": f"{day} 00:00", "to": f"{day} 23:59", "order": "asc", "tournament-id": "1",
    }  # fmt: skip
