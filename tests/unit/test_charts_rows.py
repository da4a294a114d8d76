"""Where bars, strips, pills and cells are: each against a linear reading of the chart's own ticks."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.charting import HOUR, Picture, T, corners, read, results, shares, stretches
from tipoff.web.charts import bar, form, pairs, spark, strip, svg, timeline

NEAR = 0.11
"""places are rounded to 0.1"""


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
