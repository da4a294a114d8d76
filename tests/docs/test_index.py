"""Every page is found from the index, and no link leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs import ROOT
from tests.snippets import FENCE

DOCS = ROOT / "docs"
INDEX = (DOCS / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_each_page_is_in_the_index_once() -> None:
    """A page that nobody finds; one that is in two places, of which one grows old."""
    listed = re.findall(r"(?m)^- \[[^\]]+\]\((\w[\w-]*\.md)\)", INDEX)
    assert sorted(listed) == sorted({path.name for path in DOCS.glob("*.md")} - {"README.md"})


def test_the_index_has_four_parts() -> None:
    """A fifth drawer, into which everything goes."""
    assert re.findall(r"(?m)^## (.*)", INDEX) == ["Tutorial", "How-to", "Reference", "Explanation"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    """A page or a heading that was renamed."""
    for path, heading in _links(page):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        assert not heading or heading in _headings(target.read_text()), f"{path}#{heading}"


def _links(page: Path) -> Iterator[tuple[str, str]]:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if not re.match(r"\w+:", link):
            path, _, heading = link.partition("#")
            yield path, heading


def _headings(page: str) -> set[str]:
    """As GitHub names them: lower case, signs left out, hyphens for spaces."""
    titles = re.findall(r"(?m)^#+ (.*)", FENCE.sub("", page))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
