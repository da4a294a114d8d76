"""Upcoming on a slow phone: how much is sent, how soon rows are seen, and that nothing jumps."""

from __future__ import annotations

import statistics

import httpx
from playwright.sync_api import CDPSession, Page

from tests.browser.conftest import Visit
from tests.browser.system import System
from tests.pages import by_id, parse

DOCUMENT, WHOLE = 20_000, 60_000
"""bytes on the wire"""
SOON = 1200
"""milliseconds, on a slow phone"""
SHIFT = 0.02
SLOW_4G = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
"""the round trip and rates that Lighthouse calls slow 4G (github.com/GoogleChrome/lighthouse, docs/throttling.md)"""
SHIFTS = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; })
    .observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => resolve(sum), 1500);
})"""


def slow(page: Page) -> CDPSession:
    """A phone: slow network, a quarter of this CPU, nothing kept from before."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Network.emulateNetworkConditions", SLOW_4G)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return session


def test_rows_are_in_the_first_response(system: System) -> None:
    """Fifty rows in at most 20 KB, readable without any script."""
    answer = httpx.get(system.url + "/", headers={"Accept-Encoding": "gzip"}, trust_env=False)
    rows = list(by_id(parse(answer.text), "rows"))
    sent = httpx.get(system.url + "/", headers={"Accept-Encoding": "gzip"}, trust_env=False)
    assert len(rows) == 50
    assert sent.num_bytes_downloaded <= DOCUMENT, sent.num_bytes_downloaded


def test_the_whole_page_is_light(visit: Visit) -> None:
    """Every file of it together."""
    page = visit("/about")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto("/", wait_until="load")
    page.wait_for_timeout(300)
    assert len(sizes) >= 4
    assert sum(sizes) <= WHOLE, sizes


def test_rows_are_seen_soon_and_stay_where_they_are(visit: Visit) -> None:
    """Slow 4G and a quarter of the CPU: the median of five; a viewer in another zone, whose times are rewritten."""
    times, shifts = [], []
    for _ in range(5):
        page = visit("/about", width=390, timezone_id="Asia/Tokyo", device_scale_factor=2)
        slow(page)
        page.goto("/", wait_until="load")
        assert page.locator("#rows li").first.is_visible()
        times.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        shifts.append(page.evaluate(SHIFTS))
        page.context.close()
    assert statistics.median(times) <= SOON, times
    assert max(shifts) < SHIFT, shifts
