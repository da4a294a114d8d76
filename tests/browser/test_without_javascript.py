"""JavaScript off: every page is complete, every form works."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.system import System
from tests.browser.test_every_page import SEEN


def off(visit: Visit, address: str, key: str | None = None) -> Page:
    """A page of a browser that runs no script."""
    return visit(address, java_script_enabled=False, key=key)


@pytest.mark.parametrize("path", SEEN)
def test_every_page_is_complete(visit: Visit, system: System, path: str) -> None:
    """A page that is empty until a script fills it; looked at thrice, for what is live may come between the two."""
    address = system.addresses().get(path, path)
    for _ in range(3):
        with_scripts, without = visit(address, key=system.key), off(visit, address, system.key)
        texts = [re.sub(r"\d+", "#", one.locator("#main").inner_text()) for one in (with_scripts, without)]
        words = [set(text.split()) for text in texts]
        missing = words[0] - words[1]
        if len(missing) <= 0.03 * len(words[0]) + 3:  # times are written in another zone's words
            return
    pytest.fail(f"only scripts write {missing}")


def test_signing_in_and_starting_a_job(visit: Visit, system: System) -> None:
    """Buttons that need a script."""
    page = off(visit, "/sign-in?back=/jobs")
    page.fill("#key", system.key)
    page.locator("main button").click()
    expect(page).to_have_url(re.compile("/jobs$"))
    before = {job["job_id"]: job for job in system.api("/api/jobs?job_type=prediction_generation&limit=200")["items"]}
    page.locator("details:has(form[action='/jobs/start/forecasts']) > summary").click()
    page.locator("form[action='/jobs/start/forecasts'] button").click()
    if page.locator("#refused").count():
        expect(page.locator("#refused")).to_contain_text("one is live already")
        page.get_by_role("link", name="Look at the live one").click()
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f-]{36}$"))
    started = page.url.rpartition("/")[2]
    assert before.get(started, {"status": "pending"})["status"] in ("pending", "running"), "it had ended before"
    assert system.api(f"/api/jobs/{started}")["job_type"] == "prediction_generation"
    expect(page.locator("#main")).to_contain_text(started)
    expect(page.locator("h1")).to_contain_text("Generate predictions")


def test_what_if(visit: Visit, system: System) -> None:
    """A question that only a script can ask."""
    fixture = system.api("/api/upcoming-matches?limit=1")["items"][0]
    page = off(visit, "/h2h")
    page.fill("[name=a]", fixture["player_a"])
    page.fill("[name=b]", fixture["player_b"])
    page.locator("main form button").first.click()
    expect(page.locator("#main")).to_contain_text(fixture["player_a"])
    expect(page.locator("#main")).to_contain_text("%")


def test_any_line(visit: Visit, system: System) -> None:
    """The line control of a match."""
    external_id = system.api("/api/upcoming-matches?limit=1")["items"][0]["external_id"]
    page = off(visit, f"/matches/{external_id}")
    page.select_option("[name=market]", "spread")
    page.fill("[name=line]", "-3.5")
    page.get_by_role("button", name="Price it").click()
    expect(page).to_have_url(re.compile(r"market=spread&line=-3.5"))
    expect(page.locator("#priced")).to_contain_text("\u22123.5")


def test_filters_and_preferences(visit: Visit, system: System) -> None:
    """Filters of Upcoming, the odds format, the theme."""
    fixture = system.api("/api/upcoming-matches?limit=1")["items"][0]
    page = off(visit, "/")
    page.fill("[name=search]", fixture["player_a"])
    page.get_by_role("button", name="Show", exact=True).click()
    rows = page.locator("#rows li")
    assert rows.count() >= 1
    for row in rows.all():
        expect(row).to_contain_text(fixture["player_a"])
    page.get_by_role("button", name="American").click()
    expect(page.locator("#rows .fair").first).to_contain_text(re.compile(r"[+−]\d{3}"))
    page.get_by_role("button", name=re.compile("Theme")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
