"""Where things are drawn: each against a linear reading of the chart's own ticks, and golden numbers."""

from __future__ import annotations

import dataclasses
import math
from statistics import NormalDist

import pytest

from tests.charting import HOUR, Picture, T, bins, corners, lines, read
from tipoff.web.charts import bar, calibration, distribution, heat, pairs, series, spark

NEAR = 0.11
"""places are rounded to 0.1"""
BAD = (float("nan"), float("inf"), -float("inf"), None, 1e300)


def test_calibration_dots_bars_and_areas() -> None:
    """A dot beside its value; a radius instead of an area that is proportional to n."""
    data = [
        calibration.Bin(0.5, 0.6, 400, 0.55, 0.5, 0.45, 0.56),
        calibration.Bin(0.6, 0.7, 100, 0.66, 0.7, 0.6, 0.79),
    ]
    picture = Picture(calibration.chart(data, chart_id="c"))
    dots, bars = picture.all("circle"), picture.all("line", "whisker")
    for one, dot, whisker in zip(data, dots, bars, strict=True):
        assert one.mean_forecast is not None
        assert one.share_won is not None
        assert one.share_low is not None
        assert one.share_high is not None
        x, y = float(dot.get("cx", "")), float(dot.get("cy", ""))
        assert x == pytest.approx(picture.place("x", one.mean_forecast), abs=NEAR)
        assert y == pytest.approx(picture.place("y", one.share_won), abs=NEAR)
        (x1, y1), (x2, y2) = corners(whisker)
        assert (x1, x2) == (x, x)
        assert (y1, y2) == pytest.approx(
            (picture.place("y", one.share_low), picture.place("y", one.share_high)), abs=NEAR
        )
    r = [float(d.get("r", "")) for d in dots]
    assert (r[0] / r[1]) ** 2 == pytest.approx(4, rel=0.05)
    high = [float(b.get("height", "")) for b in picture.all("rect", "bin")]
    assert high[0] / high[1] == pytest.approx(4, rel=0.05)


def test_calibration_golden() -> None:
    """The axes moved by themselves: 400 wide, 50 % is in the middle of 48 to 384."""
    dot = Picture(calibration.chart([calibration.Bin(0, 1, 9, 0.5, 0.5, 0.2, 0.8)], chart_id="c")).all("circle")[0]
    assert (dot.get("cx"), dot.get("cy"), dot.get("r")) == ("216", "183", "9")
    [title] = dot
    assert title.text == "50.0% of 9 came true, forecast 50.0% (95%: 20–80%)"


@pytest.mark.parametrize("n", [1, 2, 50, 10_000])
def test_series_points_are_where_their_values_are(n: int) -> None:
    """A line that is shifted in time or stretched in value; an extreme that thinning lost."""
    picture = Picture(series.chart(lines(n, "JUKE"), chart_id="c", title="Strength"))
    start = {(p.at.timestamp(), round(p.value, 6)) for s in lines(n, "") for p in s.points if p.value is not None}
    (left, _, right, _), ticks = picture.plot, picture.ticks("x")
    first, last = T.timestamp(), (T + (n - 1) * HOUR).timestamp()
    if n == 1:
        first, last = first - 43200, last + 43200
    for value, place in ticks:
        assert place == pytest.approx(left + (value - first) / (last - first) * (right - left), abs=NEAR)
    values = []
    for dot in picture.all("circle"):
        at, value = read(dot.get("data-x", "")), float(dot.get("data-y", ""))
        assert (at, value) in start
        assert float(dot.get("cx", "")) == pytest.approx(
            left + (at - first) / (last - first) * (right - left), abs=NEAR
        )
        assert float(dot.get("cy", "")) == pytest.approx(picture.place("y", value), abs=NEAR)
        values.append(value)
    assert (min(values), max(values)) == (min(v for _, v in start), max(v for _, v in start))
    assert len(values) == min(2 * n, len(values)) <= 300


def test_series_lines_go_through_their_points_and_bands_around_them() -> None:
    """A line or band that is not that of the points: read off the path itself, in order of time."""
    [one, _] = lines(40, "JUKE")
    shuffled = series.Series("JUKE", "a", [*one.points[20:], *one.points[:20]])
    picture = Picture(series.chart([shuffled], chart_id="c", title="Strength"))
    [line], [band] = picture.all("path", "line"), picture.all("path", "band")
    place = [picture.place("y", p.value or 0) for p in one.points]
    assert [y for _, y in corners(line)] == pytest.approx(place, abs=NEAR)
    assert [x for x, _ in corners(line)] == sorted(x for x, _ in corners(line))
    edge = [p.high or 0 for p in one.points] + [p.low or 0 for p in reversed(one.points)]
    assert [y for _, y in corners(band)] == pytest.approx([picture.place("y", v) for v in edge], abs=NEAR)


def test_a_thinned_band_keeps_its_extremes() -> None:
    """The one moment of great uncertainty is gone where there are many points."""
    points = [series.Point(T + i * HOUR, 0.0, -1.0, 9.0 if i == 7_777 else 1.0) for i in range(10_000)]
    picture = Picture(series.chart([series.Series("JUKE", "a", points)], chart_id="c", title="Strength"))
    [band] = picture.all("path", "band")
    assert min(y for _, y in corners(band)) == pytest.approx(picture.place("y", 9), abs=NEAR)


def test_references_are_at_their_values_and_their_names_apart() -> None:
    """The coin's line at another log loss; two names on top of each other."""
    levels = [series.Reference("coin", 0.693), series.Reference("Elo", 0.692)]
    picture = Picture(series.chart(lines(5, "JUKE"), levels, chart_id="c", title="Log loss", decimals=3))
    for level, line in zip(levels, picture.all("line", "reference"), strict=True):
        assert [y for _, y in corners(line)] == pytest.approx([picture.place("y", level.value)] * 2, abs=NEAR)
    names = picture.all("text", "reference-name")
    assert [n.text for n in names] == ["coin 0.693", "Elo 0.692"]
    assert abs(float(names[0].get("y", "")) - float(names[1].get("y", ""))) >= 14.9


def test_bad_numbers_are_left_out() -> None:
    """A NaN in a path, at which browsers stop drawing; an infinite value that flattens the rest."""
    points = [series.Point(T + i * HOUR, v) for i, v in enumerate((1.0, *BAD, 2.0))]
    bounded = [series.Point(T + i * HOUR, 1.5, v, 2.0) for i, v in enumerate(BAD)]
    picture = Picture(series.chart(
        [series.Series("A", "a", points), series.Series("B", "b", bounded)],
        [series.Reference("none", float("nan"))], chart_id="c", title="Strength",
    ))  # fmt: skip
    assert [float(d.get("data-y", "")) for d in picture.all("circle")] == [1, 2, *[1.5] * 5]
    assert not picture.all("path", "band")
    assert not picture.all("line", "reference")
    assert picture.ticks("y")[0][0] == 1
    for bad in BAD:
        none = calibration.Bin(0, 1, 9, bad, 0.5, 0.1, 0.9), calibration.Bin(0, 1, 9, 0.5, bad, 0.1, 0.9)
        assert not Picture(calibration.chart(none, chart_id="c")).all("circle")
        assert not Picture(calibration.chart([calibration.Bin(0, 1, 9, 0.5, 0.5, bad, 1)], chart_id="c")).all(
            "line", "whisker"
        )
        assert "no data yet" in distribution.chart(distribution.Curve(bad, 3), chart_id="c", title="Total")
        assert "no data yet" in distribution.chart(distribution.Curve(3, bad), chart_id="c", title="Total")
        assert "no data yet" in heat.chart(heat.Scores("A", "B", bad, 1, 1, 1), chart_id="c")
        assert "no data yet" in bar.parts([bar.Part("x", bad, 1)], chart_id="c", title="Why")
        assert "no data yet" in bar.shares([bar.Share("x", bad, 0, 1, 9)], chart_id="c", title="Hits")
        assert "<rect" not in bar.split(bad)
        assert "<path" not in spark.chart([bad], "none")
        assert 'class="a' not in pairs.chart([pairs.Cell("A", "B", bad, 9)], chart_id="c")
    for sd in (0.0, -1.0, 1e-300):
        assert "no data yet" in distribution.chart(distribution.Curve(3, sd), chart_id="c", title="Total")
        assert "no data yet" in heat.chart(heat.Scores("A", "B", 3, sd, 126, 12), chart_id="c")


def test_a_great_many_lines_are_still_drawn() -> None:
    """No point is left for each of so many lines."""
    many = [dataclasses.replace(lines(30, "JUKE")[0], name=f"P{i}") for i in range(800)]
    picture = Picture(series.chart(many, chart_id="c", title="Strength"))
    assert len(picture.all("path", "band")) == len(many)
    assert {t.split(":")[0] for t in picture.titles()} >= {f"P{i}" for i in range(800)}


@pytest.mark.parametrize("line", [90.5, 126.0, 129.5, 1e6])
def test_the_curve_is_cut_at_the_line(line: float) -> None:
    """Shade that ends elsewhere; chances of the other side; a line far away that flattens the curve."""
    picture = Picture(distribution.chart(distribution.Curve(126.0, 11.0, line), chart_id="c", title="Total"))
    at = min(max(picture.place("x", line), picture.plot[0]), picture.plot[2])
    [mark] = picture.all("line", "tick-mark")
    assert [x for x, _ in corners(mark)] == pytest.approx([at, at], abs=NEAR)
    [under] = picture.all("path", "under")
    assert max(x for x, _ in corners(under)) == pytest.approx(at, abs=NEAR)
    for over in picture.all("path", "over"):
        assert min(x for x, _ in corners(over)) == pytest.approx(at, abs=NEAR)
    [whole] = picture.all("path", "line")
    assert picture.ticks("x")[-1][0] - picture.ticks("x")[0][0] <= 2 * 7 * 11
    peak = min(corners(whole), key=lambda p: p[1])
    assert peak[0] == pytest.approx(picture.place("x", 126), abs=5)
    p = round(NormalDist(126, 11).cdf(line), 2)
    assert f"under {100 * p:.0f}%" in picture.text
    assert f"over {100 - 100 * p:.0f}%" in picture.text


def test_the_curve_is_the_normal_density() -> None:
    """Another shape; a bracket that is not the middle 80 %."""
    picture = Picture(distribution.chart(distribution.Curve(126, 11, None, 131), chart_id="c", title="Total"))
    [whole] = picture.all("path", "line")
    (x0, p0), *_, (x1, p1) = picture.ticks("x")
    _, top, _, foot = picture.plot
    for x, y in corners(whole):
        value = x0 + (x - p0) * (x1 - x0) / (p1 - p0)
        density = math.exp(-(((value - 126) / 11) ** 2) / 2)
        assert y == pytest.approx(foot - density * (foot - top), abs=0.4)
    [bracket] = picture.all("path", "bracket")
    ends = [x for x, _ in corners(bracket)]
    assert (ends[0], ends[-1]) == pytest.approx(
        (picture.place("x", 126 - 1.2816 * 11), picture.place("x", 126 + 1.2816 * 11)), abs=NEAR
    )
    assert "80%: 112 to 140" in picture.text
    [outcome] = picture.all("line", "outcome")
    assert next(corners(outcome))[0] == pytest.approx(picture.place("x", 131), abs=NEAR)


def test_the_heat_map_is_the_joint_density() -> None:
    """A and B swapped, a cell at another score, an outcome elsewhere, darker where it is less likely."""
    match = heat.Scores("FROSTII", "JUKE", 12.0, 9.0, 126.0, 12.0, (70, 50))
    picture = Picture(heat.chart(match, chart_id="c"))
    drawn = [e for e in picture.all("rect") if "data-x" in e.attrib]
    assert 100 < len(drawn) <= 26 * 26
    best = max(drawn, key=lambda e: e.get("class", "")[-1])
    assert float(best.get("data-x", "")) == pytest.approx(69, abs=6)
    assert float(best.get("data-y", "")) == pytest.approx(57, abs=6)
    whole = 0.0
    for cell in drawn:
        a, b = float(cell.get("data-x", "")), float(cell.get("data-y", ""))
        (left, top), (right, foot) = corners(cell)
        assert left == pytest.approx(picture.place("x", a - 0.5), abs=NEAR)
        assert foot == pytest.approx(picture.place("y", b - 0.5), abs=NEAR)
        assert right > left
        assert top < foot
        assert cell.get("class", "").split()[0] == ("a" if a > b else "b" if b > a else "even")
        whole += float((cell[0].text or "").rpartition(" ")[2].rstrip("%"))
    assert 95 < whole < 100.5
    [cross] = picture.all("path", "cross")
    xs, ys = zip(*corners(cross), strict=True)
    assert sum(xs) / 4 == pytest.approx(picture.place("x", 70), abs=NEAR)
    assert sum(ys) / 4 == pytest.approx(picture.place("y", 50), abs=NEAR)
    assert "wins 91%" in picture.text
    [diagonal] = picture.all("line", "diagonal")
    for x, y in corners(diagonal):
        (x0, p0), *_, (x1, p1) = picture.ticks("x")
        value = x0 + (x - p0) * (x1 - x0) / (p1 - p0)
        assert y == pytest.approx(picture.place("y", value), abs=0.3)


def test_histogram_covers_its_bins() -> None:
    """Bars of n beside the forecasts that they count."""
    picture = Picture(calibration.chart(bins(10), chart_id="c"))
    for one, rect in zip(bins(10), picture.all("rect", "bin"), strict=True):
        (left, _), (right, _) = corners(rect)
        ends = (picture.place("x", one.low) + 1, picture.place("x", one.high) - 1)
        assert (left, right) == pytest.approx(ends, abs=0.2)
