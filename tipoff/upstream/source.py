"""The protocol every source of matches speaks."""

from __future__ import annotations

import datetime as dt
from typing import Protocol, runtime_checkable

from tipoff.domain.payload import RawPayload

__all__ = ["DetailSource", "MatchSource", "RawPayload"]


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


@runtime_checkable
class DetailSource(Protocol):
    """A place that also tells of single matches: points and box scores by period."""

    @property
    def name(self) -> str:
        """As of a MatchSource."""
        ...

    def fetch_details(self, external_id: str, day: dt.date) -> RawPayload | None:
        """The payload on a match of that UTC day; None where the source has nothing, yet or ever.

        Raises as `MatchSource.fetch_day`.
        """
        ...
