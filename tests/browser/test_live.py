"""What happens reaches an open page by itself, and what stops is seen to have stopped."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.system import System
from tests.jobs import eventually
from tests.web import WebProcess, rows
from tipoff.domain.match import Match, MatchStatus
from tipoff.domain.payload import RawPayload
from tipoff.storage import matches, payloads, schedules
from tipoff.storage.pool import Pool, open_pool

SOON = 2.0
"""seconds in which a change must be seen"""
LIMIT = 0.5
"""minutes without an answer of the league after which the badge must say so; a page asks anew every 15 seconds"""
LIVE = "select from job_queue where type = 'quick_data_refresh' and status in ('pending', 'running')"
FETCHED = "select from raw_payloads where last_fetched_at > %s"


@pytest.fixture(scope="module")
def database(system: System) -> Iterator[Pool]:
    """The system's database."""
    pool = open_pool(system.dsn)
    yield pool
    pool.close()


def stay(page: Page) -> None:
    """Mark the document: a reload would lose it."""
    page.evaluate("window.stayed = true")


def stayed(page: Page) -> bool:
    """Whether it is the same document still."""
    return bool(page.evaluate("window.stayed === true"))


def finish(pool: Pool, fixture: dict[str, Any], a: int, b: int) -> float:
    """The league says how a match ended; the moment at which that was written."""
    now = dt.datetime.now(dt.UTC)
    start = dt.datetime.fromisoformat(fixture["start"])
    result = Match(
        fixture["external_id"], start, fixture["player_a"], fixture["player_b"], fixture["team_a"],
        fixture["team_b"], None, MatchStatus.FINAL, a, b,
    )  # fmt: skip
    body = f'["{fixture["external_id"]}"]'.encode()
    with pool.connection() as connection:
        [number] = payloads.keep(connection, [RawPayload("test", "h2h-2026", "schedule", start.date(), now, body)])
        payloads.mark_ingested(connection, [number], now)
        matches.record(connection, [(number, now, [result])])
    return time.monotonic()


def test_a_finished_match_reaches_its_page(visit: Visit, system: System, database: Pool) -> None:
    """A page that shows a match as coming when it is over; a list of results without it."""
    fixture = system.api("/api/upcoming-matches?limit=3")["items"][2]
    page = visit(f"/matches/{fixture['external_id']}")
    lists = visit("/live")
    row = lists.locator(f"[href='/matches/{fixture['external_id']}']")
    expect(row).to_have_count(0)
    expect(page.locator("#versus .final")).to_have_count(0)
    for one in (page, lists):
        one.locator("body[data-ready='1']").wait_for(state="attached")
        stay(one)
    settled(page)
    written = finish(database, fixture, 71, 58)
    expect(page.locator("#versus .final").first).to_have_text("71", timeout=10_000)
    assert time.monotonic() - written < SOON
    expect(row.first).to_be_visible(timeout=10_000)
    assert time.monotonic() - written < SOON + 1  # looked at after the other
    assert stayed(page)
    assert stayed(lists)


def settled(page: Page) -> None:
    """Wait until something came through the page's stream."""
    expect(page.locator("body[data-stream=open]")).to_have_count(1, timeout=10_000)


def refresh_in(pool: Pool, seconds: float) -> dt.datetime:
    """Let the next tick of the regular refresh come then, wherever in its three minutes the clock is; it is now."""
    with pool.connection() as connection:
        now = schedules.now(connection)
        schedules.move(connection, "refresh", now + dt.timedelta(seconds=seconds))
    return now


def no_refresh_for(pool: Pool, seconds: float) -> None:
    """None is live, and for so long the schedule brings none."""
    refresh_in(pool, seconds)
    eventually(lambda: not rows(pool, LIVE), "the refresh to end")


def test_a_jobs_progress_reaches_open_pages(visit: Visit, system: System, database: Pool) -> None:
    """A job whose page stands still until it is loaded again."""
    listed = visit("/jobs")
    stay(listed)
    settled(listed)
    no_refresh_for(database, 60)
    job = system.api("/api/data/quick-refresh", "POST")["job_id"]
    asked = time.monotonic()
    expect(listed.locator(f"[href='/jobs/{job}']").first).to_be_visible(timeout=10_000)
    assert time.monotonic() - asked < SOON
    page = visit(f"/jobs/{job}")
    stay(page)
    ended = 0.0
    while not ended:
        if system.api(f"/api/jobs/{job}")["status"] == "completed":
            ended = time.monotonic()
        page.wait_for_timeout(50)
    expect(page.locator("#main")).to_contain_text("completed", timeout=10_000, ignore_case=True)
    assert time.monotonic() - ended < SOON
    assert stayed(listed)
    assert stayed(page)


def test_a_stream_that_was_cut_heals(visit: Visit, system: System, database: Pool, tmp_path: Path) -> None:
    """A page that stays blind after the server was away for a moment."""
    first = WebProcess(system.dsn, tmp_path, TIPOFF_HOME=str(system.folder))
    try:
        fixture = system.api("/api/upcoming-matches?limit=6")["items"][5]
        page = visit(f"{first.url}/matches/{fixture['external_id']}", elsewhere=first.url)
        settled(page)
        stay(page)
        first.process.kill()
        first.process.wait()
        expect(page.locator("body.unreachable")).to_have_count(1, timeout=10_000)
        expect(page.locator("body[data-stream]")).to_have_count(0)
        finish(database, fixture, 66, 62)
        second = WebProcess(system.dsn, tmp_path, port=first.port, TIPOFF_HOME=str(system.folder))
        try:
            expect(page.locator("#versus .final").first).to_have_text("66", timeout=30_000)
            expect(page.locator("body.unreachable")).to_have_count(0)
            settled(page)
            assert stayed(page)
        finally:
            page.close()
            assert second.stop() == 0
    finally:
        first.stop()


def test_a_frozen_source_turns_the_badge_stale(visit: Visit, system: System, database: Pool, tmp_path: Path) -> None:
    """Figures that look fresh though the league has not answered for long; a machine that slept and stays behind."""
    web = WebProcess(
        system.dsn, tmp_path, TIPOFF_HEALTH_EVERY="1", TIPOFF_HEALTH_FETCH_MINUTES_WARNING=str(LIMIT),
        TIPOFF_SOURCE="league", TIPOFF_HOME=str(system.folder),
    )  # fmt: skip
    try:
        page = visit(web.url, elsewhere=web.url)
        badge = page.locator("#badge")
        asked = refresh_in(database, 0)
        eventually(lambda: bool(rows(database, FETCHED, asked)), "the league to be asked", 60)
        expect(badge).to_have_class(re.compile(r"\bfresh\b"), timeout=30_000)
        no_refresh_for(database, 10)
        os.kill(system.process.pid, signal.SIGSTOP)
        frozen = time.monotonic()
        try:
            expect(badge).to_have_class(re.compile(r"\bstale\b"), timeout=60_000)
            assert time.monotonic() - frozen < 60 * LIMIT + 20
            expect(page.locator("#stale")).to_contain_text("the league last answered", ignore_case=True)
            page.wait_for_timeout(max(0.0, 1000 * (frozen + 11 - time.monotonic())))  # the tick has been missed
        finally:
            os.kill(system.process.pid, signal.SIGCONT)
        expect(badge).to_have_class(re.compile(r"\bfresh\b"), timeout=60_000)
        page.close()
    finally:
        web.stop()
