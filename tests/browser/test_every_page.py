"""Every page, wide and narrow, light and dark: nothing is broken, nothing sticks out, nothing shuts anybody out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_core_python.sync_playwright import Axe

from tests.browser.conftest import Visit
from tests.browser.system import System
from tipoff.web.site import PAGES

SEEN = [page.path for page in PAGES if page.method == "GET"]
LOOKS = [(1440, "light"), (1440, "dark"), (1000, "light"), (390, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def addresses(system: System) -> dict[str, str]:
    """An example of each page."""
    return system.addresses()


def faults(found: dict[str, list[dict[str, object]]]) -> Iterator[str]:
    """What axe found, in a line each."""
    for one in found["violations"]:
        nodes = one["nodes"]
        assert isinstance(nodes, list)
        for node in nodes[:3]:
            yield f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("path", SEEN)
def test_page(visit: Visit, system: System, addresses: dict[str, str], path: str, width: int, scheme: str) -> None:
    """Console errors, requests to other hosts, horizontal scroll, contrast, labels, headings."""
    page = visit(addresses.get(path, path), width=width, scheme=scheme, key=system.key)
    assert page.locator("h1").count() == 1
    page.locator("body[data-ready='1']").wait_for(state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert list(faults(Axe().run(page))) == []
