"""The badge of every page: how old what it shows is, and whether that is too old."""

from __future__ import annotations

import dataclasses
import datetime as dt

from tipoff.web import words
from tipoff.web.ask import Answer

OLD = ("source_stale", "results_stale", "unread_answers", "database_away")
"""what may be wrong that makes every figure old"""
BLIND = 180.0
"""seconds after which a report of the system's health is none"""


@dataclasses.dataclass(frozen=True, slots=True)
class Freshness:
    """`kind` is fresh, stale or unknown; the words of the badge, and all that is to say of it."""

    kind: str
    words: str
    detail: str
    status: str
    """the system's health: healthy, warning, error or unknown"""


def unknown() -> Freshness:
    """Nothing is known."""
    return Freshness("unknown", "Unknown", "how fresh this is cannot be told now", "unknown")


def lost(status: str) -> Freshness:
    """The database does not answer now."""
    return Freshness("stale", "Stale", "the database does not answer: what you see may have changed", status)


def freshness(health: Answer, stale: int | None, now: dt.datetime) -> Freshness:
    """By the health report, and by `stale`: the age of an answer that could not be asked anew (seconds)."""
    if not health.ok:
        return unknown() if stale is None else _kept(stale, "unknown")
    status = health.data["overall_status"]
    if stale is not None:
        return _kept(stale, status)
    looked = (now - dt.datetime.fromisoformat(health.data["checked_at"])).total_seconds()
    if looked > BLIND:
        return Freshness("unknown", "Unknown", f"nobody has looked for {words.span(looked)}", status)
    findings = [f for name in ("database", "data_freshness") for f in health.data["checks"][name]["findings"]]
    old = next((f for f in findings if f["rule"] in OLD), None)
    fetched = health.data["metrics"].get("fetched_seconds_ago")
    if old is None:
        return Freshness("fresh", "Live", health.data["checks"]["data_freshness"]["message"], status)
    named = f"{words.coarse(fetched)} old" if old["rule"] == "source_stale" and fetched else "Stale"
    return Freshness("stale", named, old["message"], status)


def _kept(seconds: int, status: str) -> Freshness:
    said = f"the database is away: what you see is {words.span(max(1, seconds))} old and may have changed"
    return Freshness("stale", "Stale", said, status)
