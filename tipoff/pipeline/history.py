"""The results that were known at one moment, read again and again without holding a long history in memory."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator

from tipoff.domain.match import KNOWABLE_AFTER, Match
from tipoff.forecast.params import Params
from tipoff.forecast.state import FilterState, state_after_parts
from tipoff.storage import matches
from tipoff.storage.pool import Connection, Pool

RECENT = dt.timedelta(days=730)
"""models are fitted, measured and compared on results no older than that; the filter learns from all"""


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """What `arrival_id`, an entry of the log, and everything before it say of matches that began by `until`.

    `older` results are there only where they are asked for.
    """

    pool: Pool
    arrival_id: int
    until: dt.datetime
    older: bool = False

    @classmethod
    def known_at(cls, pool: Pool, connection: Connection, now: dt.datetime, older: bool = False) -> History:
        """What has arrived by now, as `connection` sees it, and was knowable at `now`."""
        return cls(pool, matches.last_arrival_id(connection), now - KNOWABLE_AFTER, older)

    def recent(self) -> list[Match]:
        """Final matches of the last `RECENT`, in order."""
        with self.pool.connection() as connection:
            return [match for part in self._parts(connection, self.until - RECENT) for match in part]

    def learned(self, params: Params) -> FilterState:
        """What these parameters learn from all of it."""
        with self.pool.connection() as connection:
            return state_after_parts(params, self._parts(connection))

    def _parts(self, connection: Connection, since: dt.datetime | None = None) -> Iterator[list[Match]]:
        return matches.results_as_of(connection, self.arrival_id, self.until, since, self.older)
