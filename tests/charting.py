"""Charts read as a stranger would, places told by the ticks alone; every kind of chart, of any size."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

from markupsafe import Markup

from tipoff.web.charts import bar, calibration, distribution, form, heat, pairs, series, spark, strip, timeline

T = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
HOSTILE = "<script>alert(1)</script>\"'&\x00"
SHOWN = "<script>alert(1)</script>\"'&\N{REPLACEMENT CHARACTER}"
"""what a parser must find of it"""


class Picture:
    """A parsed chart."""

    def __init__(self, svg: Markup) -> None:
        self.text = str(svg)
        self.root = ET.fromstring(svg)  # noqa: S314 (our own)

    def all(self, name: str, class_: str | None = None) -> list[ET.Element]:
        """Elements of this name that have this class."""
        return [e for e in self.root.iter(name) if class_ is None or class_ in e.get("class", "").split()]

    def ticks(self, axis: str) -> list[tuple[float, float]]:
        """Value (moments as seconds) and place of each tick of axis x or y."""
        found = []
        for tick in self.all("g", f"tick-{axis}"):
            line = tick.find("line")
            assert line is not None
            found.append((read(tick.get("data-value", "")), float(line.get(f"{axis}1", ""))))
        return found

    def place(self, axis: str, value: float) -> float:
        """Where the value belongs, by the outermost ticks."""
        (v0, p0), *_, (v1, p1) = self.ticks(axis)
        return p0 + (value - v0) * (p1 - p0) / (v1 - v0)

    @property
    def plot(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        [rect] = self.all("rect", "plot")
        x, y, w, h = (float(rect.get(k, "")) for k in ("x", "y", "width", "height"))
        return x, y, x + w, y + h

    def drawn(self) -> Iterator[tuple[float, float]]:
        """Every corner of everything that stands for data."""
        for e in self.root.iter():
            if "data-x" in e.attrib or e.tag == "path" or "whisker" in e.get("class", ""):
                for part in e.iter():
                    yield from corners(part)

    def titles(self) -> list[str]:
        """Tooltips and the title of the whole."""
        return [e.text or "" for e in self.all("title")]


def read(value: str) -> float:
    """A number, or a moment in seconds."""
    return dt.datetime.fromisoformat(value).timestamp() if "T" in value else float(value)


def corners(e: ET.Element) -> Iterator[tuple[float, float]]:
    """Of a circle its middle, of anything else its ends."""
    f = {
        k: float(v)
        for k, v in e.attrib.items()
        if k in {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"}
    }
    match e.tag:
        case "circle":
            yield f["cx"], f["cy"]
        case "rect":
            yield f["x"], f["y"]
            yield f["x"] + f["width"], f["y"] + f["height"]
        case "line":
            yield f["x1"], f["y1"]
            yield f["x2"], f["y2"]
        case "path":
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", e.get("d", ""))]
            yield from zip(numbers[::2], numbers[1::2], strict=True)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A chart and its table, made of so many data with this name in them."""

    name: str
    chart: Callable[[int, str], Markup]
    table: Callable[[int, str], Markup]


def wave(i: int) -> float:
    """Something that goes up and down between -1 and 1."""
    return math.sin(i * 0.7) * math.cos(i * 0.013)


def bins(n: int, _: str = "") -> list[calibration.Bin]:
    """As many bins, evenly."""
    return [
        calibration.Bin(i / n, (i + 1) / n, i % 50 + 1, m := (i + 0.5) / n, m, max(0, m - 0.1), min(1, m + 0.1))
        for i in range(n)
    ]


def lines(n: int, name: str) -> list[series.Series]:
    """Two lines of n points with bands."""

    def points(j: int) -> list[series.Point]:
        return [series.Point(T + i * HOUR, v := wave(i + j), v - 0.3, v + 0.4, i) for i in range(n)]

    return [series.Series(f"{name}{k}", k, points(j)) for j, k in enumerate(("a", "b"))]


def parts(n: int, name: str) -> list[bar.Part]:
    """Reasons for and against."""
    return [bar.Part(f"{name} {i}", 5 * wave(i), 0.7, f"because of {name}") for i in range(n)]


def shares(n: int, name: str) -> list[bar.Share]:
    """Hit rates."""
    return [bar.Share(f"{name} {i}", v := (1 + wave(i)) / 2, v / 2, (1 + v) / 2, i + 1, 0.4) for i in range(n)]


def stretches(n: int, name: str) -> list[strip.Stretch]:
    """Checks that change all the time."""
    statuses = ("ok", "warning", "error", None)
    return [
        strip.Stretch(T + i * HOUR, {f"{name} {k}": statuses[(i + k) % 4] for k in range(12)}, 3600) for i in range(n)
    ]


def job(n: int, name: str) -> timeline.Timeline:
    """A job of n steps."""
    steps = [timeline.Step(f"{name} {i}", T + (i + 1) * HOUR, T + (i + 2) * HOUR) for i in range(n)]
    return timeline.Timeline(T, T + HOUR, T + (n + 1) * HOUR, steps)


def results(n: int, name: str) -> list[form.Result]:
    """Matches won and lost in turns."""
    return [form.Result(T + i * HOUR, f"{name} {i}", 60 + i % 2 * 10, 66) for i in range(n)]


def cells(n: int, name: str) -> list[pairs.Cell]:
    """n pairs of players."""
    side = math.isqrt(n) + 1
    every = [(i, j) for i in range(side) for j in range(side + 1) if i != j][:n]
    return [pairs.Cell(f"{name} {i}", f"{name} {j}", (1 + wave(i - j)) / 2, i + j + 1, 0.2, 0.8) for i, j in every]


def curve(n: int) -> distribution.Curve:
    """A total with a line, or nothing."""
    return distribution.Curve(126.0, 11.0, 129.5, 131) if n else distribution.Curve(None, None)


def scores(n: int, name: str) -> heat.Scores:
    """A match with its outcome, or one that nothing is known of."""
    if not n:
        return heat.Scores(name, name, None, None, None, None)
    return heat.Scores(name, name, 4.0, 11.0, 126.0, 12.0, (66, 61))


LEVEL = [series.Reference("a coin", 0.6)]
KINDS = [
    Kind("calibration", lambda n, name: calibration.chart(bins(n), chart_id="c", title=name),
         lambda n, name: calibration.table(bins(n), caption=name)),
    Kind("series", lambda n, name: series.chart(lines(n, name), LEVEL, chart_id="c", title=name),
         lambda n, name: series.table(lines(n, name), caption=name)),
    Kind("curve", lambda n, name: distribution.chart(curve(n), chart_id="c", title=name, words=(name, name)),
         lambda n, name: distribution.table(curve(n), caption=name)),
    Kind("heat", lambda n, name: heat.chart(scores(n, name), chart_id="c", title=name),
         lambda n, name: heat.table(scores(n, name), caption=name)),
    Kind("parts", lambda n, name: bar.parts(parts(n, name), chart_id="c", title=name, ends=(name, name)),
         lambda n, name: bar.parts_table(parts(n, name), caption=name)),
    Kind("shares", lambda n, name: bar.shares(shares(n, name), chart_id="c", title=name),
         lambda n, name: bar.shares_table(shares(n, name), caption=name)),
    Kind("strip", lambda n, name: strip.chart(stretches(n, name), chart_id="c", title=name),
         lambda n, name: strip.table(stretches(n, name), caption=name)),
    Kind("timeline", lambda n, name: timeline.chart(job(n, name), T + HOUR, chart_id="c", title=name),
         lambda n, name: timeline.table(job(n, name), T + HOUR, caption=name)),
    Kind("pairs", lambda n, name: pairs.chart(cells(n, name), chart_id="c", title=name),
         lambda n, name: pairs.table(cells(n, name), caption=name)),
]  # fmt: skip


def small(n: int, name: str) -> dict[str, Markup]:
    """What is no picture with a frame: a line beside a figure, pills, a split bar."""
    return {
        "spark": spark.chart([wave(i) for i in range(n)], name),
        "form": form.chart(results(n, name)),
        "split": bar.split(0.6 if n else None, 0.7 if n else None, words=name),
    }
