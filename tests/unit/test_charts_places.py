"""Where things are drawn: each against a linear reading of the chart's own ticks, and golden numbers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from statistics import NormalDist

import pytest

from tests.charting import HOUR, Picture, T, bins, corners, lines, read, results, shares, stretches
from tipoff.web.charts import bar, calibration, distribution, form, heat, pairs, series, spark, strip, svg, timeline

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


def test_parts_reach_from_nought_to_their_values() -> None:
    """A bar to the wrong side, a whisker that is not 1.96 deviations."""
    data = [bar.Part("players", 3.4, 1.1), bar.Part("teams", -1.6, 0.5), bar.Part("stream", 0.0, None)]
    picture = Picture(bar.parts(data, chart_id="c", title="Why"))
    for part, row in zip(data, picture.all("g", "row"), strict=True):
        [rect] = row.iter("rect")
        value = part.value or 0.0
        (left, _), (right, _) = corners(rect)
        ends = sorted((picture.place("x", 0), picture.place("x", value)))
        assert [left, right] == pytest.approx(ends, abs=NEAR)
        assert rect.get("class") == ("side-a" if value >= 0 else "side-b")
        whiskers = [x for w in row.iter("line") for x, _ in corners(w)]
        reach = [picture.place("x", value + k * 1.96 * part.sd) for k in (-1, 1)] if part.sd else []
        assert whiskers == pytest.approx(reach, abs=NEAR)
    assert [e.text for e in picture.all("text", "row-figure")] == ["+3.4", "−1.6", "0.0"]


def test_long_names_of_both_sides_stand_over_the_plot() -> None:
    """Two handles of forty letters each that are written over the reasons."""
    for ends in (("A" * 40, "B"), ("helps A", "helps B")):
        picture = Picture(bar.parts([bar.Part("players", 3.4)], chart_id="c", title="Why", ends=ends))
        for e in (*picture.all("text", "end-a"), *picture.all("text", "end-b")):
            below = float(e.get("y", "")) + sum(float(line.get("dy", "0")) for line in e)
            assert below <= picture.plot[1]


def test_many_parts_show_the_largest() -> None:
    """The reason that matters most is cut off because it came late."""
    data = [bar.Part(f"part {i}", 1.0, 0.1) for i in range(100)] + [bar.Part("last", -7.0, 0.1)]
    picture = Picture(bar.parts(data, chart_id="c", title="Why"))
    rows = picture.all("g", "row")
    assert (len(rows), rows[0].get("data-y")) == (40, "last")
    assert "40 of 101 rows" in picture.text


def test_shares_bars_intervals_and_what_was_stated() -> None:
    """A hit rate, its interval or the promise at another place."""
    data = shares(9, "bin")
    picture = Picture(bar.shares(data, chart_id="c", title="Hit rate"))
    for share, row in zip(data, picture.all("g", "row"), strict=True):
        _, filled = row.iter("rect")
        assert [x for x, _ in corners(filled)] == pytest.approx(
            [picture.place("x", 0), picture.place("x", share.share or 0)], abs=NEAR
        )
        whisker, tick = row.iter("line")
        ends = [picture.place("x", v or 0) for v in (share.low, share.high)]
        assert [x for x, _ in corners(whisker)] == pytest.approx(ends, abs=NEAR)
        assert [x for x, _ in corners(tick)] == pytest.approx([picture.place("x", 0.4)] * 2, abs=NEAR)


@pytest.mark.parametrize(("p", "at"), [(0.0, 0), (0.68, 68), (1.0, 100), (1.7, 100), (-1, 0)])
def test_the_split_bar_is_split_at_the_chance(p: float, at: float) -> None:
    """Sides swapped; a chance above 1 that is drawn beyond the end."""
    picture = Picture(bar.split(p, tick=p, words="A or B"))
    a, b = picture.all("rect")
    assert (float(a.get("width", "")), float(b.get("x", "")), float(b.get("width", ""))) == (at, at, 100 - at)
    assert [x for e in picture.all("line", "tick-mark") for x, _ in corners(e)] == [at, at]
    assert picture.root.get("aria-label") == "A or B"
    assert Picture(bar.split(p)).root.get("aria-hidden") == "true"


def test_the_strip_merges_what_is_equal_and_leaves_gaps() -> None:
    """A rect a stretch; a time nobody looked that is painted healthy."""
    data = [
        *(strip.Stretch(T + i * HOUR, {"db": "ok", "source": "ok" if i < 3 else "error"}, 3600) for i in range(5)),
        strip.Stretch(T + 9 * HOUR, {"db": "ok", "source": None}, 3600),
    ]
    picture = Picture(strip.chart(data, chart_id="c"))
    rects = [e for e in picture.all("rect") if "data-x" in e.attrib]
    assert [(e.get("class"), e.get("data-x", "")[11:13]) for e in rects] == [
        ("ok", "00"), ("ok", "09"), ("ok", "00"), ("error", "03"), ("unknown", "09"),
    ]  # fmt: skip
    width = picture.plot[2]
    spans = [(0, 5), (9, 10), (0, 3), (3, 5), (9, 10)]
    for rect, (begin, end) in zip(rects, spans, strict=True):
        assert [x for x, _ in corners(rect)] == pytest.approx([begin * width / 10, end * width / 10], abs=NEAR)
        assert next(corners(rect))[0] == pytest.approx(picture.place("x", read(rect.get("data-x", ""))), abs=NEAR)
    assert [e.text for e in picture.all("text", "row-figure")] == ["ok", "not looked"]


def test_a_long_strip_hides_no_error() -> None:
    """The five bad minutes of a month are averaged away."""
    data = [strip.Stretch(T + i * HOUR, {"db": "error" if i == 6_543 else "ok"}, 3600) for i in range(10_000)]
    picture = Picture(strip.chart(data, chart_id="c"))
    [bad] = picture.all("rect", "error")
    (left, _), (right, _) = corners(bad)
    assert left <= picture.place("x", (T + 6_543 * HOUR).timestamp()) <= right
    assert len(Picture(strip.chart(stretches(10_000, "x"), chart_id="c")).all("rect")) <= 420


def test_the_timeline_of_a_running_job_ends_now() -> None:
    """A running step without an end; bars that are not where the time went."""
    s = dt.timedelta(seconds=1)
    steps = [timeline.Step("fetch", T + 10 * s, T + 30 * s), timeline.Step("learn", T + 30 * s)]
    picture = Picture(timeline.chart(timeline.Timeline(T, T + 10 * s, None, steps), T + 100 * s, chart_id="c"))
    bars = [e for e in picture.all("rect") if "data-x" in e.attrib]
    spans = {"waiting": (0, 10), "running": (10, 100), "fetch": (10, 30), "learn": (30, 100)}
    assert [e.get("data-y") for e in bars] == list(spans)
    for rect, (begin, end) in zip(bars, spans.values(), strict=True):
        ends = [picture.place("x", (T + v * s).timestamp()) for v in (begin, end)]
        assert [x for x, _ in corners(rect)] == pytest.approx(ends, abs=NEAR)
    assert [e.get("class") for e in bars] == ["waiting", "running open", "step", "step open"]
    assert [e.text for e in picture.all("text", "row-figure")] == ["10 s", "1 min 30 s", "20 s", "1 min 10 s"]


def test_clocks_that_disagree_draw_nothing_backwards() -> None:
    """A job that another machine started before it was created: a bar of negative width."""
    job = timeline.Timeline(T, T - HOUR, T - 2 * HOUR, [timeline.Step("x", T, T - HOUR)])
    picture = Picture(timeline.chart(job, T, chart_id="c"))
    assert all(float(e.get("width", "")) >= 0 for e in picture.all("rect"))


def test_pills_say_who_won_in_letters() -> None:
    """A loss in green; the oldest match first; colour alone."""
    picture = Picture(form.chart(results(30, "JUKE")))
    pills = list(picture.root)
    assert (len(pills), "".join(p.text or "" for p in pills)) == (20, "WL" * 10)
    assert pills[0].get("title") == "won 70–66 against JUKE 29, 3 Jan 2026 05:00 UTC"
    assert pills[1].get("class") == "pill lost"
    assert form.chart([form.Result(T, "JUKE", None, 60)]) == '<span class="pills empty">no data yet</span>'
    assert ">D</span>" in form.chart([form.Result(T, "JUKE", 60, 60)])


def test_a_cell_of_the_matrix_is_in_its_row_and_column() -> None:
    """Who beat whom turned round; few matches as bold as many."""
    data = [pairs.Cell("A", "B", 0.9, 40, 0.8, 0.96), pairs.Cell("B", "A", 0.1, 4), pairs.Cell("C", "A", 0.5, 12)]
    picture = Picture(pairs.chart(data, chart_id="c"))
    cells = [e for e in picture.all("rect") if "data-x" in e.attrib]
    assert [e.get("class") for e in cells] == ["a4", "b4 few", "even"]
    heads = [float(e.get("x", "")) for e in picture.all("text", "tick-label")]
    names = {"ABC"[i]: float(g[0].get("y", "")) for i, g in enumerate(picture.all("g", "row"))}
    for one, cell in zip(data, cells, strict=True):
        (left, top), (right, foot) = corners(cell)
        assert left < heads["ABC".index(one.column)] < right
        assert top < names[one.row] < foot
    assert [e.text for e in picture.all("text", "cell-figure")] == ["90", "10", "50"]


def test_names_of_players_are_on_one_line_where_they_fit() -> None:
    """The longest handle broken although the column was made for it."""
    for longest in ("CLUTCHBOX", "A" * 13, "SAINT JR", "Wm" * 5):
        data = [pairs.Cell("A", longest, 0.5, 9), pairs.Cell("B", "C", 0.5, 9)]
        rows = Picture(pairs.chart(data, chart_id="c")).all("g", "row")
        assert [row[0].text for row in rows] == ["1 A", f"2 {longest}", "3 B", "4 C"]


def test_of_many_players_the_busiest_are_shown() -> None:
    """Twenty players who never met fill the matrix."""
    data = [pairs.Cell(f"P{i}", f"P{i + 1}", 0.5, 1 + i // 30 * 100) for i in range(60)]
    picture = Picture(pairs.chart(data, chart_id="c"))
    names = [(e[0].text or "").split()[1] for e in picture.all("g", "row")]
    assert len(names) == 20
    assert all(int(n[1:]) >= 30 for n in names)


def test_the_spark_touches_its_lowest_and_highest() -> None:
    """A line that is flat or upside down; decoration that is read out, or its words that are not."""
    root = Picture(bar.split(0.5)).root
    assert root.get("preserveAspectRatio") == "none"
    both = Picture(svg.tag("div", spark.chart([1, 3, 2], "up")))
    [line], [picture], [words] = both.all("path", "line"), both.all("svg"), both.all("span")
    assert (picture.get("aria-hidden"), words.text) == ("true", "up")
    assert list(corners(line)) == [(0, 30.5), (60, 1.5), (120, 16)]


def test_histogram_covers_its_bins() -> None:
    """Bars of n beside the forecasts that they count."""
    picture = Picture(calibration.chart(bins(10), chart_id="c"))
    for one, rect in zip(bins(10), picture.all("rect", "bin"), strict=True):
        (left, _), (right, _) = corners(rect)
        ends = (picture.place("x", one.low) + 1, picture.place("x", one.high) - 1)
        assert (left, right) == pytest.approx(ends, abs=0.2)
