"""What holds for every chart: its frame, its size, its names, its bounds."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from tests.charting import HOSTILE, KINDS, SHOWN, Kind, Picture, curve, small
from tipoff.web.charts import calibration, distribution, svg

SIZES = (0, 1, 2, 10_000)
CSS = Path(svg.__file__).parents[1] / "static" / "charts.css"
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
every_size = pytest.mark.parametrize("n", SIZES)


def words(element: ET.Element) -> str:
    """All that is read out of an element, lines joined."""
    return "".join(element.itertext())


@every_kind
@every_size
def test_is_a_named_image_of_a_fit_size(kind: Kind, n: int) -> None:
    """A picture that cannot be scaled, is silent, or is larger than the page that carries it."""
    picture = Picture(kind.chart(n, "JUKE"))
    assert picture.root.tag == "svg"
    assert picture.root.get("role") == "img"
    assert {"chart", f"chart-{kind.name}"} <= set(picture.root.get("class", "").split())
    x, y, width, height = map(float, picture.root.get("viewBox", "").split())
    assert (x, y) == (0, 0)
    assert width >= 340
    assert height > 0
    named = [e for e in picture.root if e.get("id") in picture.root.get("aria-labelledby", "").split()]
    assert [e.tag for e in named] == ["title", "desc"]
    assert all(e.text for e in named)
    assert len(picture.text.encode()) < 100_000


@every_kind
@every_size
def test_nothing_is_drawn_outside(kind: Kind, n: int) -> None:
    """A point beside its plot, text below the picture, a coordinate that is no number."""
    picture = Picture(kind.chart(n, "JUKE"))
    _, _, width, height = map(float, picture.root.get("viewBox", "").split())
    assert not re.search(r'"[^"]*(nan|inf|\de[+-]\d)[^"]*"', picture.text)
    for text in picture.all("text"):
        assert 0 <= float(text.get("x", "")) <= width
        assert 0 <= float(text.get("y", "")) <= height
    if kind.name == "pairs":
        return
    left, top, right, bottom = picture.plot
    assert (n == 0 and kind.name != "timeline") or list(picture.drawn())
    for x, y in picture.drawn():
        assert left - 0.06 <= x <= right + 0.06
        assert top - 16.1 <= y <= bottom + 9.1 if kind.name == "curve" else top - 0.06 <= y <= bottom + 0.06


@every_kind
def test_without_data_says_so(kind: Kind) -> None:
    """An empty frame that looks as if it failed to load."""
    picture = Picture(kind.chart(0, "JUKE"))
    said = [words(e) for e in picture.all("text", "empty")]
    assert said == ([] if kind.name == "timeline" else ["no data yet"])
    assert picture.all("rect", "plot") or kind.name == "pairs"
    assert "no data yet" not in kind.chart(1, "JUKE")


@every_kind
@every_size
def test_every_datum_can_be_pointed_at(kind: Kind, n: int) -> None:
    """A point without a tooltip, or one that a script cannot read."""
    picture = Picture(kind.chart(n, "JUKE"))
    marks = [e for e in picture.root.iter() if "data-x" in e.attrib]
    assert marks or n == 0
    for mark in marks:
        title = mark.find("title")
        assert title is not None
        assert title.text


@every_kind
@pytest.mark.parametrize("n", [1, 3])
def test_hostile_names_are_text(kind: Kind, n: int) -> None:
    """A handle that becomes an element, ends an attribute, or breaks the parser."""
    chart, table = kind.chart(n, HOSTILE), kind.table(n, HOSTILE)
    picture = Picture(chart)
    assert "<script" not in chart + table
    assert not [e for e in (*picture.root.iter(), *ET.fromstring(table).iter()) if e.tag == "script"]  # noqa: S314
    assert picture.titles()[0] == SHOWN
    assert SHOWN in words(ET.fromstring(table))  # noqa: S314
    read = "".join(words(picture.root).split())
    assert kind.name == "calibration" or read.count("".join(SHOWN.split())) > 1


@every_size
def test_small_ones_are_well_formed_and_small(n: int) -> None:
    """Decoration that is heavier than the row it stands in."""
    for name, one in small(n, HOSTILE).items():
        root = ET.fromstring(f"<div>{one}</div>")  # noqa: S314
        assert len(one) < 10_000, name
        assert "<script" not in one
        assert not re.search(r'"[^"]*(nan|inf|\de[+-]\d)[^"]*"', one)
        assert SHOWN in words(root) + "".join(root.iter().__next__().itertext()) or name == "form"
        assert (
            name != "form" or n == 0 or all(SHOWN in e.get("title", "") for e in root.iter("span") if e.get("title"))
        )


def test_ids_are_unique_and_fit_for_a_list_of_ids() -> None:
    """Two charts on a page that are read out as the first; an id with a blank is two ids."""
    found = [
        e.get("id", "")
        for key in ("a", "a b", "a.b", "a<b>", "ä")
        for e in Picture(distribution.chart(curve(1), chart_id=key, title="Total")).root.iter()
        if e.get("id")
    ]
    assert len(found) == len(set(found)) == 10
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", i) for i in found)


@every_kind
def test_colours_come_from_classes_that_exist(kind: Kind) -> None:
    """A colour that the policy on content refuses or that stays when the theme changes; a class nobody styles."""
    css = CSS.read_text()
    for n in SIZES:
        for e in Picture(kind.chart(n, "JUKE")).root.iter():
            assert not {"fill", "stroke", "style", "onclick"} & set(e.attrib)
            for name in e.get("class", "").split():
                assert name in _GROUPS or re.search(rf"\.{name}\b", css), name


_GROUPS = {
    "row", "tick-x", "tick-y", "tick", "legend", "reference-name", "chart-shares", "chart-curve", "bin-n", "dot",
}  # fmt: skip
"""classes for scripts and tests, or styled by their kind"""


def test_the_style_names_no_colour() -> None:
    """A colour that does not follow the theme."""
    assert not re.search(r"#[0-9a-fA-F]{3}|rgb|hsl|url\(", CSS.read_text())


def test_text_is_escaped_once() -> None:
    """Markup that is escaped again, or text that is not at all."""
    assert svg.tag("b", "a<b", Markup("<i/>"), data_x='"') == '<b data-x="&#34;">a&lt;b<i/></b>'


def test_a_wide_chart_keeps_its_letters() -> None:
    """Letters made large for a phone in a chart that never is on one."""
    for width, wide in ((480, False), (900, True)):
        chart = calibration.chart([], chart_id="c", width=width)
        assert ("chart-wide" in chart) is wide
