"""A running system and a real Chromium for all tests of this folder."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.system import System, start, stop

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """`tipoff demo`, served."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        home = Path(name)
        home.chmod(0o755)
        one = start(home)
        try:
            yield one
        finally:
            stop(one)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM} (apt-get install chromium, or CHROMIUM=...)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclasses.dataclass
class Seen:
    """What a page complained about, and what it asked elsewhere for."""

    complaints: list[str] = dataclasses.field(default_factory=list)
    elsewhere: list[str] = dataclasses.field(default_factory=list)


Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def signed_in(chromium: Browser) -> Callable[[str, str], Any]:
    """Cookies of whoever signed in at an address with a key; the form is sent once for each."""
    states: dict[tuple[str, str], Any] = {}

    def state(base: str, key: str) -> Any:
        if (base, key) not in states:
            context = chromium.new_context(base_url=base)
            page = context.new_page()
            page.goto("/sign-in?back=/about")
            page.fill("#key", key)
            page.click("main button:has-text('Sign in')")
            page.wait_for_url("**/about")
            states[base, key] = context.storage_state()
            context.close()
        return states[base, key]

    return state


@pytest.fixture
def visit(chromium: Browser, request: pytest.FixtureRequest, signed_in: Callable[[str, str], Any]) -> Iterator[Visit]:
    """Open pages, each in a context of its own; at the end none complained, and none asked another host."""
    contexts: list[BrowserContext] = []
    seen = Seen()

    def open_page(
        address: str = "/", *, width: int = 1440, scheme: Any = "light", key: str | None = None,
        elsewhere: str | None = None, **more: Any,
    ) -> Page:  # fmt: skip
        base = elsewhere or request.getfixturevalue("system").url
        host = urlsplit(base).netloc
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=base,
            storage_state=signed_in(base, key) if key else None, **more,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        if elsewhere is None:  # a server that is killed is complained about
            page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda r: None if urlsplit(r.url).netloc == host else seen.elsewhere.append(r.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen.elsewhere == []
    assert seen.complaints == []
