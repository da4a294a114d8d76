"""Scores by period of matches that ended."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tipoff.jobs.types import MatchDetailsParams
from tipoff.jobs.work import Work
from tipoff.pipeline.details import fetch_details
from tipoff.upstream.source import DetailSource

FOR_THE_LAST = 70.0
"""seconds of an attempt in which no more matches are asked for: one that hangs may take that long"""


def match_details(work: Work) -> dict[str, Any]:
    """Ask for what ended lately, where TIPOFF_MATCH_DETAILS says so; no forecast sees any of it."""
    params, source = work.params(MatchDetailsParams), work.source
    if not work.settings.match_details:
        work.message = "off: TIPOFF_MATCH_DETAILS is not true"
        return {"off": True}
    if not isinstance(source, DetailSource):
        work.message = f"{source.name} tells nothing of single matches"
        return {"off": True}
    back = dt.timedelta(hours=params.hours)
    found = fetch_details(
        work.pool, source, work.now, back, params.limit, work.progress, lambda: work.seconds_left < FOR_THE_LAST
    )
    work.message = ", ".join(f"{number} {outcome}" for outcome, number in found.items()) or "nothing to ask for"
    return dict(found)
