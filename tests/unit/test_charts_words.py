"""Tables beside charts, numbers as words, and the ticks of axes."""

from __future__ import annotations

import datetime as dt
import doctest
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from tests.charting import HOUR, KINDS, Kind, T, bins, cells, job, lines, parts, results, shares, stretches
from tipoff.web.charts import (
    bar,
    calibration,
    distribution,
    figures,
    form,
    heat,
    pairs,
    scale,
    series,
    strip,
    svg,
    timeline,
)


def rows(table: Markup) -> list[list[str]]:
    """The cells of the body."""
    body = ET.fromstring(table).find("tbody")  # noqa: S314
    assert body is not None
    return [["".join(cell.itertext()) for cell in row] for row in body]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_tables_are_tables(kind: Kind) -> None:
    """A grid that a screen reader cannot walk: no caption, heads without scope, rows of other lengths."""
    for n in (0, 1, 30):
        root = ET.fromstring(kind.table(n, "JUKE"))  # noqa: S314
        assert [e.tag for e in root] == ["caption", "thead", "tbody"]
        heads = list(root[1].iter("th"))
        assert {h.get("scope") for h in heads} == {"col"}
        assert all(h.text for h in heads)
        for row in root[2]:
            assert [c.tag for c in row] == ["th"] + ["td"] * (len(heads) - 1)
            assert row[0].get("scope") == "row"


def test_tables_hold_every_datum() -> None:
    """The twin of a thinned chart that is thinned itself."""
    assert len(rows(calibration.table(bins(10_000)))) == 10_000
    assert len(rows(series.table(lines(10_000, "A"), [series.Reference("coin", 0.693)], caption="x"))) == 20_001
    assert len(rows(bar.parts_table(parts(500, "A"), caption="x"))) == 500
    assert len(rows(bar.shares_table(shares(500, "A"), caption="x"))) == 500
    assert len(rows(timeline.table(job(500, "A"), T))) == 502
    assert len(rows(form.table(results(500, "A")))) == 500
    assert len(rows(pairs.table(cells(500, "A")))) == 500
    assert len(rows(strip.table(stretches(500, "A")))) == 500 * 12


def test_what_tables_say() -> None:
    """A figure that is another than the chart's."""
    assert rows(calibration.table([calibration.Bin(0.5, 0.6, 1234, 0.552, 0.541, 0.51, 0.57)])) == [
        ["50–60%", "1,234", "55.2%", "54.1%", "51–57%"]
    ]
    point = series.Point(T, -1.25, -2.0, float("nan"), 12)
    assert rows(series.table([series.Series("JUKE", "a", [point])], caption="x", decimals=2, unit=" pts")) == [
        ["2 Jan 2026 00:00 UTC", "JUKE", "−1.25 pts", "", "12"]
    ]
    total = distribution.Curve(126.0, 11.0, 129.5, 131)
    assert rows(distribution.table(total, caption="x")) == [
        ["Mean", "126.0"], ["Standard deviation", "11.0"], ["80% interval", "112 to 140"],
        ["under 129.5", "62.5%"], ["over 129.5", "37.5%"], ["Came to", "131"],
    ]  # fmt: skip
    match = heat.Scores("FROSTII", "JUKE", 4.0, 11.0, 126.0, 12.0, (66, 61))
    assert rows(heat.table(match)) == [
        ["FROSTII", "65.0", "55 to 75", "64%", "66"], ["JUKE", "61.0", "51 to 71", "36%", "61"],
    ]  # fmt: skip
    assert rows(bar.parts_table([bar.Part("form", -0.8, 0.5, "less")], caption="x")) == [
        ["form", "−0.8", "−1.8 to 0.2", "less"]
    ]
    assert rows(bar.shares_table([bar.Share("60–65%", 0.63, 0.6, 0.66, 900, 0.625)], caption="x")) == [
        ["60–65%", "63.0%", "60–66%", "900", "62.5%"]
    ]
    assert rows(strip.table([strip.Stretch(T, {"db": "ok", "x": None}, 3600)])) == [
        ["db", "ok", "2 Jan 2026 00:00 UTC", "2 Jan 2026 01:00 UTC", "1 h"],
        ["x", "not looked", "2 Jan 2026 00:00 UTC", "2 Jan 2026 01:00 UTC", "1 h"],
    ]
    assert rows(timeline.table(timeline.Timeline(T, None, None), T + HOUR)) == [
        ["waiting", "2 Jan 2026 00:00 UTC", "running", "1 h"]
    ]
    assert rows(form.table([form.Result(T, "JUKE", 70, 66)])) == [["2 Jan 2026 00:00 UTC", "JUKE", "W", "70–66"]]
    assert rows(pairs.table([pairs.Cell("A", "B", 0.9, 40, 0.8, 0.96)])) == [["A", "B", "90%", "80–96%", "40"]]


def test_examples_are_true() -> None:
    """An example in a docstring that says what was once so."""
    assert doctest.testmod(figures).attempted == 4
    assert doctest.testmod(figures).failed == 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (figures.number(-0.04, 1), "0.0"), (figures.number(1e12), "1,000,000,000,000"),
        (figures.number(1e-9, 3), "0.000"), (figures.number(None), "–"), (figures.number(float("nan")), "–"),
        (figures.signed(0.04), "0.0"), (figures.signed(0.26), "+0.3"), (figures.signed(-2, 0), "−2"),
        (figures.span(0.25), "0.2 s"), (figures.span(59.7), "1 min"), (figures.span(3600), "1 h"),
        (figures.span(90_000), "1 d 1 h"), (figures.span(-1), "–"), (figures.raw(1e-9), "0"),
        (figures.raw(-1e-9), "0"), (figures.raw(1234567.5), "1234567.5"), (figures.percents(None, 1), ""),
    ],
)  # fmt: skip
def test_numbers_are_words(said: str, expected: str) -> None:
    """A hyphen as minus, minus nought, an exponent, the word nan."""
    assert said == expected


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (dt.timedelta(seconds=20), ["2 Jan", "00:00:05", "00:00:10", "00:00:15", "00:00:20"]),
        (dt.timedelta(minutes=20), ["2 Jan", "00:05", "00:10", "00:15", "00:20"]),
        (dt.timedelta(hours=30), ["2 Jan", "06:00", "12:00", "18:00", "3 Jan", "06:00"]),
        (dt.timedelta(days=4), ["2 Jan", "3 Jan", "4 Jan", "5 Jan", "6 Jan"]),
        (dt.timedelta(days=200), ["Feb 26", "Mar 26", "Apr 26", "May 26", "Jun 26", "Jul 26"]),
        (dt.timedelta(days=1000), ["2027", "2028"]),
        (dt.timedelta(days=20_000), ["2040", "2060", "2080"]),
        (dt.timedelta(0), ["12:00", "18:00", "2 Jan", "06:00", "12:00"]),
    ],
)
def test_ticks_of_time_are_round(length: dt.timedelta, labels: list[str]) -> None:
    """Ticks at 13:47; a zone other than UTC."""
    zone = dt.timezone(dt.timedelta(hours=5))
    axis = scale.times_axis([(T + length).astimezone(zone), T], 0.0, 100.0)
    assert len(axis.ticks) <= 7
    assert [t.label for t in axis.ticks] == labels


def test_names_are_broken_never_cut() -> None:
    """A long handle that loses its end, or runs over its neighbour."""
    for name in ("W" * 90, "a b " * 40, "漢字" * 30, ""):
        broken = svg.broken(name, 200)
        assert "".join("".join(broken).split()) == "".join(name.split())
        assert all(svg.extent(line) <= 260 for line in broken)
