"""The protocol every source of matches speaks."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from tipoff.domain.payload import RawPayload

__all__ = ["MatchSource", "RawPayload"]


class MatchSource(Protocol):
    """A place matches come from."""

    @property
    def name(self) -> str:
        """Where this is, without secrets, for logs and for the raw archive."""
        ...

    def fetch_day(self, day: dt.date) -> list[RawPayload]:
        """All payloads that describe one UTC calendar day; empty when the source has no data for it.

        Raises TransientUpstreamError when every retry failed, TerminalUpstreamError when retrying is
        pointless.
        """
        ...

    def close(self) -> None:
        """Give back connections."""
        ...
