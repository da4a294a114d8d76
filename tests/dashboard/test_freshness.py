"""How old what is shown is: the badge of every page, and its notice."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_outage import private
from tests.jobs import eventually
from tests.pages import Visitor, by_id, words
from tests.web import WebProcess
from tipoff.storage.embedded import PrivatePostgres
from tipoff.web.ask import Answer
from tipoff.web.freshness import freshness

__all__ = ["private"]
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


def report(rule: str = "", looked: float = 10.0, fetched: float | None = 840.0) -> Answer:
    """What the health check said that many seconds ago, with something found or not."""
    found = [{"rule": rule, "message": "it is old"}] if rule else []
    data: dict[str, Any] = {
        "overall_status": "warning" if rule else "healthy",
        "checked_at": (NOW - dt.timedelta(seconds=looked)).isoformat(),
        "checks": {"database": {"findings": []},
                   "data_freshness": {"findings": found, "message": "all is new"}},
        "metrics": {"fetched_seconds_ago": fetched},
    }  # fmt: skip
    return Answer(200, data)


@pytest.mark.parametrize(
    ("health", "stale", "kind", "badge", "said"),
    [
        (report(), None, "fresh", "Live", "all is new"),
        (report("source_stale"), None, "stale", "14 min old", "it is old"),
        (report("results_stale"), None, "stale", "Stale", "it is old"),
        (report("unread_answers"), None, "stale", "Stale", "it is old"),
        (report("disk_full"), None, "fresh", "Live", "all is new"),
        (report(), 75, "stale", "Stale", "what you see is 1 min 15 s old"),
        (Answer(503, {"detail": "away"}), 75, "stale", "Stale", "what you see is 1 min 15 s old"),
        (Answer(503, {"detail": "away"}), None, "unknown", "Unknown", "cannot be told now"),
        (report(looked=400.0), None, "unknown", "Unknown", "nobody has looked for 6 min 40 s"),
    ],
)
def test_the_badge_says_how_fresh_it_is(health: Answer, stale: int | None, kind: str, badge: str, said: str) -> None:
    """A badge that is always green."""
    found = freshness(health, stale, NOW)
    assert (found.kind, found.words) == (kind, badge)
    assert said in found.detail


def test_a_kept_answer_is_shown_with_its_age(private: PrivatePostgres, tmp_path: Path) -> None:
    """Yesterday's answer that looks like today's while the database is away."""
    web = WebProcess(private.application_dsn, tmp_path, TIPOFF_HEALTH_EVERY="3600")
    try:
        visitor = Visitor(web)
        assert "what you see is" not in words(by_id(visitor.see("/"), "stale"))
        private.stop()
        web.until_database("away")
        page = eventually(
            lambda: p if "what you see is" in words(by_id(p := visitor.see("/"), "stale")) else None, "stale", 20.0
        )
        assert words(by_id(page, "badge")) == "Stale"
        said = words(by_id(page, "stale"))
        assert re.fullmatch(
            r"Not fresh. The database is away: what you see is \d+ s old and may have changed.", said
        ), said
    finally:
        web.stop()
