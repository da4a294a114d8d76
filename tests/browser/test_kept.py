"""What a reader holds stays: focus, scroll, what is open, what was typed; an unchanged list is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.system import System

REFRESH = "document.dispatchEvent(new CustomEvent('tipoff:refresh'))"
ROW = re.compile(r'<li class="match.*?</li>', re.DOTALL)
ROWS = re.compile(r'(<ol class="matches" id="rows" data-live="list")>.*?</ol>', re.DOTALL)
AGES = re.compile(r"(<time[^>]* data-(?:ago|countdown)[^>]*>)[^<]*")


def emptied(text: str) -> str:
    """The page without a coming match, as the template writes it."""
    text = ROWS.sub(r"\1 hidden></ol>", text)
    return re.sub(r'(id="rows-none" data-live) hidden>', r'\1><p class="empty">No coming match is known</p>', text)


def rewritten(page: Page, change: Callable[[str], str]) -> None:
    """From now on the server's pages come changed."""

    def answer(route: Route) -> None:
        found = route.fetch()
        kept = {k: v for k, v in found.headers.items() if k not in ("content-encoding", "content-length", "etag")}
        route.fulfill(status=found.status, headers=kept, body=change(found.text()))

    page.unroute_all(behavior="wait")  # what is being answered now is answered
    page.route(page.url, answer)


def refreshed(page: Page) -> None:
    """Ask the page anew and wait until that is done; what was asked for before does not count."""
    with page.expect_request(page.url) as asked:
        page.evaluate(REFRESH)
    response = asked.value.response()
    assert response is not None
    response.finished()
    page.wait_for_timeout(200)


@pytest.fixture
def upcoming(visit: Visit) -> Page:
    """The list of matches."""
    page = visit("/")
    page.locator("body[data-ready='1']").wait_for(state="attached")
    return page


def test_ages_alone_change_nothing(upcoming: Page) -> None:
    """Every row flashes as new each minute, and whoever stands in one loses their place."""
    upcoming.locator("#rows .tag").last.focus()
    upcoming.evaluate("document.querySelectorAll('#rows li, #asof').forEach((one) => { one.mine = true; })")
    rewritten(upcoming, lambda text: AGES.sub(r"\1in 77 min", text))
    refreshed(upcoming)
    assert upcoming.evaluate("[...document.querySelectorAll('#rows li, #asof')].every((one) => one.mine)")
    assert upcoming.locator(".flash").count() == 0
    expect(upcoming.locator("#rows .tag").last).to_be_focused()


def test_another_row_goes_and_the_focus_stays(upcoming: Page) -> None:
    """The keyboard is sent to another match of the same player, and the page jumps there."""
    served: list[str] = []  # nothing else changes meanwhile, as when forecasts are sealed
    rewritten(upcoming, lambda text: served.append(text) or text)
    refreshed(upcoming)
    first = upcoming.locator("#rows .tag").first.get_attribute("href")
    last = upcoming.locator("#rows .tag").last
    last.evaluate("(one, href) => one.setAttribute('href', href)", first)
    last.focus()
    upcoming.wait_for_timeout(200)  # rows that leave the screen take the height that is foreseen for them
    before = upcoming.evaluate("scrollY")
    rewritten(upcoming, lambda _: served[0].replace(ROW.findall(served[0])[1], ""))
    refreshed(upcoming)
    expect(upcoming.locator("#rows .tag").last).to_be_focused()
    assert abs(upcoming.evaluate("scrollY") - before) < 200


def test_a_list_that_was_empty_shows_what_came(upcoming: Page) -> None:
    """'No coming match is known' over matches that nobody sees, until somebody reloads; and the other way round."""
    rewritten(upcoming, emptied)
    refreshed(upcoming)
    expect(upcoming.locator("#rows")).to_be_hidden()
    expect(upcoming.get_by_text("No coming match is known")).to_be_visible()
    upcoming.unroute_all(behavior="wait")
    refreshed(upcoming)
    expect(upcoming.locator("#rows li").first).to_be_visible()
    expect(upcoming.get_by_text("No coming match is known")).to_be_hidden()


def test_an_answer_that_never_comes_is_not_waited_for(upcoming: Page) -> None:
    """One request that hangs, and a page that says nothing and stays as it is for good."""
    upcoming.route(upcoming.url, lambda _: None)
    upcoming.evaluate(REFRESH)
    expect(upcoming.locator("body.unreachable")).to_have_count(1, timeout=25_000)
    upcoming.unroute_all()
    upcoming.evaluate(REFRESH)
    expect(upcoming.locator("body.unreachable")).to_have_count(0)


def test_a_part_that_is_replaced_keeps_focus_and_scroll(visit: Visit, system: System) -> None:
    """A log that jumps to its beginning with each line; a link that loses the keyboard."""
    external_id = system.api("/api/upcoming-matches?limit=3")["items"][2]["external_id"]
    page = visit(f"/matches/{external_id}")
    page.locator("body[data-ready='1']").wait_for(state="attached")
    page.locator("#versus .tag").last.focus()
    rewritten(page, lambda text: text.replace("Expected score", "Expected points"))
    refreshed(page)
    expect(page.locator("#versus")).to_contain_text("Expected points")
    expect(page.locator("#versus .tag").last).to_be_focused()


def test_any_line_is_priced_as_it_is_typed(visit: Visit, system: System) -> None:
    """The line of before under a form that says another; a table that closes at each key."""
    external_id = system.api("/api/upcoming-matches?limit=3")["items"][2]["external_id"]
    page = visit(f"/matches/{external_id}")
    page.locator("body[data-ready='1']").wait_for(state="attached")
    page.locator("#curve-table summary").click()
    page.fill("[name=line]", "90.5")
    expect(page.locator("#priced")).to_contain_text("Over 90.5")
    expect(page).to_have_url(re.compile(r"\?market=total&line=90\.5$"))
    assert page.locator("#curve-table").evaluate("(one) => one.open")
    page.select_option("[name=market]", "team_total_a")
    page.fill("[name=line]", "44.5")
    expect(page.locator("#priced")).to_contain_text("Over 44.5")
    expect(page.locator("#curve-box")).to_contain_text("44.5")


def test_the_theme_is_seen_in_its_button(visit: Visit) -> None:
    """A moon that stays a half moon; 'Save' in the footer that takes the theme back."""
    page = visit("/about")
    page.locator("#theme button").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator(".prefs [name=theme]")).to_have_value("dark")
    page.wait_for_timeout(1500)
    seen = page.locator("#theme path").get_attribute("d")
    page.reload()
    assert page.locator("#theme path").get_attribute("d") == seen
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
