"""The protocol every source of matches speaks, and the raw payload it returns."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class RawPayload:
    """What a server answered, verbatim, before anything interprets it.

    `day` is the UTC calendar day asked for; `dialect` names the shape of the rows ("h2h-2026" or
    "h2h-2025"); `resource` says which question was asked ("schedule"); `body` is the undecoded answer.
    """

    source: str
    dialect: str
    resource: str
    day: dt.date
    fetched_at: dt.datetime
    body: bytes


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
