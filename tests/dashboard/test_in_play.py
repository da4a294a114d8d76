"""Matches in play with what was sealed of them, and the newest results with whether it was right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_data import league
from tests.jobs import eventually
from tests.pages import Visitor, by_id, with_class, words
from tests.web import WebProcess
from tipoff.pipeline.state import Live
from tipoff.storage.pool import Pool
from tipoff.web.pages.live import in_play
from tipoff.web.words import percent

__all__ = ["league"]
SEAL: dict[str, Any] = {
    "horizon": 30, "sealed_at": "2026-11-25T05:33:02Z", "p_a": 0.61, "margin_mean": 3.0, "margin_sd": 10.0,
    "total_mean": 109.0, "total_sd": 12.0, "grade": None,
}  # fmt: skip


def test_nothing_is_played(web: WebProcess) -> None:
    """An empty page, or one that fails, before the first match."""
    text = words(by_id(Visitor(web).see("/live"), "main"))
    assert "Nothing is being played" in text
    assert "No result is known yet" in text
    assert "no score before the end" in text


def test_a_match_in_play_shows_what_was_sealed(
    web: WebProcess, league: tuple[Live, dict[str, Any]], kept_pool: Pool
) -> None:
    """The champion's forecast of now for a match that has begun, or a match that vanishes when it begins."""
    visitor = Visitor(web)
    assert "Nothing is being played" in words(visitor.see("/live"))
    with kept_pool.connection() as connection:
        connection.execute(
            "update upcoming_matches set start_at = start_at - interval '35 min' where status = 'scheduled'"
        )
    [playing] = eventually(lambda: web.get("/api/live-scores").json()["items"], "a match in play")
    [row] = by_id(visitor.see("/live"), "live-rows")
    assert row.get("id") == f"m-{playing['external_id']}"
    assert percent(playing["seals"][0]["p_a"]) in words(row)
    assert "min ago" in words(row)
    assert "30 min" in words(next(with_class(row, "seal")))


def test_results_stand_with_what_was_given(web: WebProcess, league: tuple[Live, dict[str, Any]]) -> None:
    """A result whose forecast is that of another match; one without a seal that looks as if it had one."""
    rows = {row.get("id"): words(row) for row in by_id(Visitor(web).see("/live"), "result-rows")}
    listed = web.get("/api/matches?status=final&limit=20").json()["items"]
    assert list(rows) == [f"p-{m['external_id']}" for m in listed]
    [sealed] = web.get("/api/record/forecasts?status=graded").json()["items"]
    assert sealed["external_id"] == "SOON"
    assert percent(sealed["p_a"]) in rows["p-SOON"]
    assert ("right" if sealed["hit"] else "wrong") in rows["p-SOON"]
    others = [text for name, text in rows.items() if name != "p-SOON"]
    assert len(others) == 19
    assert all("no forecast was sealed 2 min before" in text for text in others)


@pytest.mark.parametrize(
    ("seals", "p_a", "horizons"),
    [
        ([], None, []), ([SEAL], 0.61, [30]), ([SEAL, {**SEAL, "horizon": 2, "p_a": 0.7}], 0.7, [30, 2]),
        ([SEAL, {**SEAL, "horizon": 2, "p_a": 0.7, "grade": {"status": "late"}}], 0.61, [30, 2]),
    ],
)  # fmt: skip
def test_the_last_seal_that_was_in_time_counts(
    seals: list[dict[str, Any]], p_a: float | None, horizons: list[int]
) -> None:
    """A forecast that was sealed after the start, shown as if it had been made before."""
    row = in_play({"seals": seals, "player_a": "A", "player_b": "B"})
    assert (row["forecast"]["p_a"] if row["forecast"] else None) == p_a
    assert row["sealed"] == horizons
