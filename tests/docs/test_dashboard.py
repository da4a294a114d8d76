"""The page about the dashboard names every page there is."""

from __future__ import annotations

import re
from pathlib import Path

from tipoff.web.site import PAGES

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "dashboard.md").read_text()
STAND_IN = {"external_id": "id", "handle": "handle", "team": "team"}


def test_every_page_is_in_the_document() -> None:
    """A page that nobody hears of."""
    named = set(re.findall(r"`(/[^`]*)`", DOCUMENT))
    for page in PAGES:
        shown = re.sub(r"\{(\w+)(:name)?\}", lambda m: "{" + STAND_IN.get(m[1], m[1]) + "}", page.path)
        assert shown in named, shown
