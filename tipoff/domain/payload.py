"""What a server answered, before anything interprets it."""

from __future__ import annotations

import dataclasses
import datetime as dt

HISTORY = "history"
"""the resource of answers that tipoff history fetch keeps"""
DETAIL = "match-stats/"
"""how the resource of an answer about one match begins; its external id follows"""


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

    @property
    def older(self) -> bool:
        """Whether it tells of older results, from which only those learn who ask for them."""
        return self.resource == HISTORY
