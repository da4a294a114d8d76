"""Names that are markup, formulas or paths appear as what they are, on every page."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.api.test_data import HOSTILE, league
from tests.pages import Visitor, words
from tests.web import MASTER, WebProcess
from tipoff.pipeline.state import Live

__all__ = ["league"]
Told = tuple[Live, dict[str, Any]]


def addresses(name: str, other: str) -> list[str]:
    """Pages that show that name."""
    segment = quote(name, safe="").replace(".", "%2E")
    return [
        f"/players/{segment}", f"/matches/{quote(f'H {name[:40]}', safe='')}",
        f"/players?{urlencode({'search': name[:40]})}",
        f"/h2h?{urlencode({'a': name, 'b': other})}", f"/?{urlencode({'search': name[:40]})}",
        f"/record?{urlencode({'player': name})}",
    ]  # fmt: skip


def harmless(page: ET.Element) -> None:
    """Nothing that runs but our own modules, nothing that loads from elsewhere."""
    for one in page.iter():
        if one.tag == "script":
            assert re.fullmatch(r"/static/app\.[0-9a-f]+\.js", one.get("src", "")), ET.tostring(one)
            assert not (one.text or "").strip()
        assert one.tag not in ("iframe", "object", "embed", "base"), one.tag
        for name, value in one.items():
            assert not name.startswith("on"), (one.tag, name)
            if name in ("href", "src", "action"):
                assert not value.strip().lower().startswith(("javascript:", "data:", "http", "//")), value


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_are_text_everywhere(web: WebProcess, league: Told, name: str) -> None:
    """A handle that becomes markup in a title, an attribute, a chart or a table."""
    visitor = Visitor(web, MASTER)
    for address in addresses(name, league[1]["b"]):
        page = visitor.see(address)
        harmless(page)
        assert " ".join(name.split())[:40] in words(page), address
    page = visitor.see(addresses(name, "x")[0])
    assert name in "".join(page.find(".//title").itertext())  # type: ignore[union-attr]


def test_names_are_text_in_lists(web: WebProcess, league: Told) -> None:
    """The same on pages that list everybody."""
    visitor = Visitor(web, MASTER)
    for address in ("/", "/players", "/record", "/live", "/teams", "/h2h", "/jobs", "/models", "/health", "/keys"):
        harmless(visitor.see(address))


def test_formulas_are_text_in_files(web: WebProcess, league: Told) -> None:
    """A handle that a spreadsheet runs."""
    for address in ("/api/players?format=csv", "/api/record/forecasts?format=csv", "/api/teams?format=csv"):
        rows = list(csv.reader(io.StringIO(web.get(address).text)))
        assert len(rows) > 1, address
        for cell in (cell for row in rows[1:] for cell in row):
            assert not cell.startswith(("=", "+", "@")), (address, cell)


def test_json_is_not_markup(web: WebProcess, league: Told) -> None:
    """JSON that a browser takes for a page."""
    answer = web.get("/api/players?limit=200")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<SCRIPT>ALERT(1)</SCRIPT>" in {one["player"] for one in json.loads(answer.text)["items"]}
