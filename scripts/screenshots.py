"""`python -m scripts.screenshots`: pictures of the main pages of a running system (the demo) into docs/images."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.system import System, start, stop

FOLDER = Path(__file__).parent.parent / "docs" / "images"
DAYS = 60
MATCH, WIDE, PHONE = "/matches/{external_id:name}", 1440, 390
SHOTS = (
    ("upcoming-light", "/", WIDE, "light"), ("upcoming-dark", "/", WIDE, "dark"),
    ("upcoming-phone", "/", PHONE, "light"), ("match", MATCH, WIDE, "light"), ("match-phone", MATCH, PHONE, "dark"),
    ("record", "/record", WIDE, "light"), ("players", "/players", WIDE, "dark"),
    ("player", "/players/{handle:name}", WIDE, "light"), ("jobs", "/jobs", WIDE, "light"),
    ("job", "/jobs/{job_id}", WIDE, "dark"), ("health", "/health", WIDE, "light"), ("h2h", "/h2h", WIDE, "light"),
    ("models", "/models", WIDE, "light"), ("live", "/live", WIDE, "dark"),
)  # fmt: skip


def main() -> None:
    """Take them."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        home = Path(name)
        home.chmod(0o755)
        system = start(home, DAYS)
        try:
            _take(system)
        finally:
            stop(system)


def _take(system: System) -> None:
    FOLDER.mkdir(exist_ok=True)
    examples = system.addresses()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for name, path, width, scheme in SHOTS:
            context = browser.new_context(
                viewport={"width": width, "height": 900 if width > 600 else 844}, base_url=system.url,
                color_scheme="dark" if scheme == "dark" else "light",
            )  # fmt: skip
            page = context.new_page()
            page.goto(examples.get(path, path))
            page.locator("body[data-ready='1']").wait_for(state="attached")
            page.screenshot(path=FOLDER / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
