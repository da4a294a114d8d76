"""The check `data_freshness`."""

from __future__ import annotations

import datetime as dt

from tipoff.health.report import Checked, Finding, seconds_since
from tipoff.health.rules import beyond, error, warning
from tipoff.health.settings import HealthSettings
from tipoff.storage.health import WHOLE, FreshnessFacts

MANY = 5
"""rows of an hour that were refused for one reason: then it is no slip of a single row"""
SLIPS = ("conflicting_duplicate", "duplicate_keys", "same_player", "same_team", "score_without_status")
"""reasons that single rows have though the league sends what it always did"""
RECORDED = "a recording is no league that goes on: its age is not judged"


def data_freshness(facts: FreshnessFacts, source: str, now: dt.datetime, limits: HealthSettings) -> Checked:
    """When the league last answered, what it said, and whether that could be read."""
    fetched, result = seconds_since(facts.fetched_at, now), seconds_since(facts.newest_result, now)
    share = 100 * facts.refused_day / max(1, facts.refused_day + facts.arrived_day)
    metrics = {
        "fetched_seconds_ago": fetched, "result_seconds_ago": result, "fixtures": facts.fixtures,
        "horizon_minutes": None if facts.horizon is None else round((facts.horizon - now).total_seconds() / 60, 1),
        "quarantine_percent": round(share, 2), "quarantine_hour": sum(facts.refused_hour.values()),
        "answers_unread": facts.unread,
    }  # fmt: skip
    if source.startswith("recorded"):
        return Checked(RECORDED, (), metrics)
    found = _shape(facts)
    found += beyond(
        "quarantine_high", share, limits.pair("quarantine_percent"),
        f"{facts.refused_day} of {facts.refused_day + facts.arrived_day} rows of a day could not be believed",
    )  # fmt: skip
    if facts.unread_since is not None:
        minutes = (now - facts.unread_since).total_seconds() / 60
        found += beyond(
            "unread_answers", minutes, limits.pair("unread_minutes"),
            f"{facts.unread} answers of the league wait to be read, the oldest for {minutes:.0f} minutes",
        )  # fmt: skip
    if fetched is None:
        return Checked("", (error("source_stale", "the league has never answered"), *found), metrics)
    found += beyond(
        "source_stale",
        fetched / 60,
        limits.pair("fetch_minutes"),
        f"the league last answered {fetched / 60:.0f} minutes ago",
    )
    if result is not None:
        found += beyond(
            "results_stale", result / 60, limits.pair("result_minutes"),
            f"the newest result is of a match that began {result / 60:.0f} minutes ago",
        )  # fmt: skip
    if not facts.fixtures:
        found.append(warning("no_fixtures", "no coming match is known"))
    return Checked(
        f"the league answered {fetched:.0f} s ago, {facts.fixtures} matches are coming", tuple(found), metrics
    )


def _shape(facts: FreshnessFacts) -> list[Finding]:
    """Whole answers that could not be read just now are an error; many rows with one fault a warning."""
    whole = {r: n for r, n in facts.refused_hour.items() if r in facts.unreadable}
    rows = {r: n for r, n in facts.refused_hour.items() if r not in (*WHOLE, *SLIPS) and n >= MANY}
    named = ", ".join(f"{reason} ({n})" for reason, n in sorted({**whole, **rows}.items()))
    if whole:
        return [error("shape_changed", f"answers of the league cannot be read: {named}")]
    return [warning("shape_changed", f"the league sends rows that are not what they were: {named}")] if rows else []
