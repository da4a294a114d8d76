"""When a job that runs will probably have ended."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from tipoff.web.words import moment

EARLY = 2.0
"""per cent of progress below which nothing can be said from it"""


@dataclasses.dataclass(frozen=True, slots=True)
class Remaining:
    """The moment, what it is from, and whether it takes longer than that already."""

    at: dt.datetime
    basis: str
    longer: bool


def remaining(job: Mapping[str, Any], expected: float | None, now: dt.datetime) -> Remaining | None:
    """By how long such jobs took (`expected`, seconds); where none has ended yet, by this one's progress."""
    begun = moment(job["started_at"])
    if job["status"] != "running" or begun is None:
        return None
    if expected is not None:
        at = begun + dt.timedelta(seconds=expected)
        return Remaining(at, "by how long such jobs took", at < now)
    if job["progress"] < EARLY:
        return None
    whole = (now - begun) * (100 / job["progress"])
    return Remaining(begun + dt.timedelta(seconds=round(whole.total_seconds())), "by its progress so far", False)
