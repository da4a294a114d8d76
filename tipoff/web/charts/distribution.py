"""What a total or a margin may come to: the density, with a line that one may bet on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from statistics import NormalDist

from markupsafe import Markup

from tipoff.web.charts import axes, svg
from tipoff.web.charts.figures import number, percent, raw, usable
from tipoff.web.charts.scale import Axis, values_axis

_REACH = 3.2
"""standard deviations to both sides that the curve shows"""
_FURTHEST = 6.0
"""standard deviations that a line or an outcome may be away for the axis to reach it"""
_SMALLEST = 1e-6
"""deviation; with a smaller one nothing is left to be seen, and its density is beyond numbers"""
_POINTS = 96
_80 = NormalDist().inv_cdf(0.9)
_TOP = 54.0
"""room for the names of a line and an outcome"""
_FOOT = 58.0


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """A total or a margin: its mean and deviation, a line in it, and what it came to."""

    mean: float | None
    sd: float | None
    line: float | None = None
    outcome: float | None = None
    chances: tuple[float, float] | None = None
    """below and above the line where they are known better than the curve says: points are whole numbers"""


def chart(
    curve: Curve, *, chart_id: str, title: str, words: tuple[str, str] = ("under", "over"),
    width: float = svg.WIDTH, height: float = 240.0,
) -> Markup:  # fmt: skip
    """The density; left and right of the line in two colours with their chances; a bracket of the middle 80%."""
    normal = normal_of(curve.mean, curve.sd)
    foot = height - _FOOT
    top = _TOP if usable(curve.line) or usable(curve.outcome) else 12.0
    y = Axis(0.0, 1.0, foot, top, ())
    x = values_axis(_ends(normal, curve), 8, width - 8, count=6)
    return svg.picture(
        "curve", chart_id, title, _said(normal, curve, words), width, height,
        axes.area(x, y),
        axes.across(x, foot, foot + 4, width, low=foot + 12),
        svg.tag("line", class_="base", x1=x.start, x2=x.end, y1=foot, y2=foot),
        svg.nothing(width / 2, (foot + top) / 2) if normal is None else _drawn(normal, curve, x, y, words),
    )  # fmt: skip


def table(curve: Curve, *, caption: str, words: tuple[str, str] = ("under", "over")) -> Markup:
    """Mean, deviation, the middle 80%, the chances at the line, the outcome."""
    normal = normal_of(curve.mean, curve.sd)
    rows = [("Mean", number(curve.mean, 1)), ("Standard deviation", number(curve.sd, 1))]
    if normal is not None:
        rows.append(("80% interval", _middle(normal)))
    if normal is not None and usable(curve.line):
        rows.extend(zip(_sides(curve.line, words), _chances(normal, curve, curve.line, 1), strict=True))
    if usable(curve.outcome):
        rows.append(("Came to", number(curve.outcome)))
    return svg.twin(caption, ("What", "Value"), rows)


def normal_of(mean: float | None, sd: float | None) -> NormalDist | None:
    """The normal distribution, if its figures are ones."""
    return NormalDist(mean, sd) if usable(mean) and usable(sd) and sd >= _SMALLEST else None


def _drawn(normal: NormalDist, curve: Curve, x: Axis, y: Axis, words: tuple[str, str]) -> Markup:
    return svg.joined((
        _shaded(normal, curve.line, x, y),
        _bracket(normal, x, y.start),
        _line(normal, curve, curve.line, x, y, words) if usable(curve.line) else Markup(),
        _outcome(curve.outcome, curve.line, x, y) if usable(curve.outcome) else Markup(),
    ))  # fmt: skip


def _shaded(normal: NormalDist, line: float | None, x: Axis, y: Axis) -> Markup:
    cut = min(max(line, x.low), x.high) if usable(line) else x.high
    whole = _density(normal, x.low, x.high, x, y)
    sides = (("under", x.low, cut), ("over", cut, x.high)) if usable(line) else (("plain", x.low, x.high),)
    areas = (_area(klass, _density(normal, low, high, x, y), y) for klass, low, high in sides if high > low)
    return svg.joined((*areas, svg.tag("path", class_="line", d=svg.path(whole))))


def _area(klass: str, points: list[tuple[float, float]], y: Axis) -> Markup:
    corners = [(points[0][0], y.start), *points, (points[-1][0], y.start)]
    return svg.tag("path", class_=klass, d=svg.path(corners, closed=True))


def _density(normal: NormalDist, low: float, high: float, x: Axis, y: Axis) -> list[tuple[float, float]]:
    """The curve from low to high, its peak as high as the plot."""
    values = (low + (high - low) * i / _POINTS for i in range(_POINTS + 1))
    return [(x.at(v), y.at(normal.pdf(v) / normal.pdf(normal.mean))) for v in values]


def _line(normal: NormalDist, curve: Curve, line: float, x: Axis, y: Axis, words: tuple[str, str]) -> Markup:
    at = x.at(line)
    half = svg.extent(number(line, 1)) / 2
    under, over = (" ".join(pair) for pair in zip(words, _chances(normal, curve, line), strict=True))
    mark = svg.tag(
        "line", svg.tag("title", f"line {number(line, 1)}: {under}, {over}"), class_="tick-mark",
        x1=at, x2=at, y1=y.end - 16, y2=y.start, data_x=raw(line),
    )  # fmt: skip
    shown = svg.label(min(max(at, half), x.end - half), y.end - 20, number(line, 1), "line-name", "middle")
    return svg.joined((
        mark, shown, svg.label(0, 14, under, "end-b"), svg.label(x.end + 8, 14, over, "end-a", "end")
    ))  # fmt: skip


def _outcome(outcome: float, line: float | None, x: Axis, y: Axis) -> Markup:
    """A marker with its name on the side away from the line."""
    at, said = x.at(outcome), f"came to {number(outcome)}"
    room = svg.extent(said) + 4
    left = at + room > x.end or (usable(line) and outcome < line and at - room > x.start)
    name = svg.label(at - 4 if left else at + 4, y.end - 4, said, "outcome-name", "end" if left else "start")
    mark = svg.tag(
        "line", svg.tag("title", said), class_="outcome", x1=at, x2=at, y1=y.end, y2=y.start, data_x=raw(outcome)
    )
    return mark + name


def _bracket(normal: NormalDist, x: Axis, foot: float) -> Markup:
    low, high = (x.at(normal.mean + side * _80 * normal.stdev) for side in (-1, 1))
    y = foot + 9
    ends = svg.path([(low, y - 4), (low, y), (high, y), (high, y - 4)])
    return svg.joined((
        svg.tag("path", svg.tag("title", f"80% {_middle(normal)}"), class_="bracket", d=ends),
        svg.label((low + high) / 2, foot + 50, f"80%: {_middle(normal)}", "bracket-name", "middle"),
    ))  # fmt: skip


def _middle(normal: NormalDist) -> str:
    low, high = (normal.mean + side * _80 * normal.stdev for side in (-1, 1))
    return f"{number(low)} to {number(high)}"


def _ends(normal: NormalDist | None, curve: Curve) -> Iterator[float]:
    if normal is None:
        return
    yield from (normal.mean - _REACH * normal.stdev, normal.mean + _REACH * normal.stdev)
    for mark in (curve.line, curve.outcome):
        if usable(mark) and abs(mark - normal.mean) <= _FURTHEST * normal.stdev:
            yield mark


def _sides(line: float, words: tuple[str, str]) -> tuple[str, str]:
    return f"{words[0]} {number(line, 1)}", f"{words[1]} {number(line, 1)}"


def _chances(normal: NormalDist, curve: Curve, line: float, decimals: int = 0) -> tuple[str, str]:
    """The chances to end under and over the line; those of the curve are rounded so that they add up to 100 %."""
    if curve.chances is not None:
        return percent(curve.chances[0], decimals), percent(curve.chances[1], decimals)
    under = round(normal.cdf(line), decimals + 2)
    return percent(under, decimals), percent(1 - under, decimals)


def _said(normal: NormalDist | None, curve: Curve, words: tuple[str, str]) -> str:
    if normal is None:
        return "No data yet."
    said = f"Mean {number(normal.mean, 1)}, with 80% probability {_middle(normal)}"
    if usable(curve.line):
        pairs = zip(_sides(curve.line, words), _chances(normal, curve, curve.line), strict=True)
        under, over = (" ".join(pair) for pair in pairs)
        said += f"; {under}, {over}"
    if usable(curve.outcome):
        said += f"; it came to {number(curve.outcome)}"
    return said + "."
