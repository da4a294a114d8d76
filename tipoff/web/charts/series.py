"""Lines over time, with bands of uncertainty and levels to compare with."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from tipoff.web.charts import axes, svg
from tipoff.web.charts.figures import between, day, moment, number, raw, stamp, usable
from tipoff.web.charts.scale import Axis, apart, thinned, times_axis, values_axis

_LINE = 1400
"""points of all lines together, at most"""
_MARKS = 280
"""points that can be pointed at, at most"""
_DOTTED = 60
"""a line of so many points shows each of them"""
_SWATCH = 22.0


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """A value at a moment, the interval around it, and from how many matches it comes."""

    at: dt.datetime
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """A line with its name; `klass` is how it looks: a, b, ink, pos, neg or quiet (dashed)."""

    name: str
    klass: str
    points: Sequence[Point]


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A level to compare with, such as the log loss of a coin."""

    name: str
    value: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    at: float
    value: float
    point: Point


def chart(
    series: Sequence[Series], references: Sequence[Reference] = (), *, chart_id: str, title: str,
    decimals: int = 1, unit: str = "", width: float = svg.WIDTH, height: float = 260.0,
) -> Markup:  # fmt: skip
    """Lines over time; `decimals` and `unit` are those of the values in tooltips and beside references."""
    lines = [(s, _known(s.points)) for s in series]
    levels = [r for r in references if usable(r.value)]
    legend, top = _legend(series, width)
    y = values_axis((*_heights(lines), *(r.value for r in levels)), height - 26, top, unit=unit)
    x = times_axis((k.point.at for _, known in lines for k in known), axes.margin(y), width - 14)
    drawn = [_Drawn(s, known, x, y, max(len(lines), 1)) for s, known in lines]
    empty = not any(known for _, known in lines)
    return svg.picture(
        "series", chart_id, title, _description(lines, levels, decimals, unit), width, height,
        axes.area(x, y),
        axes.across(x, y.end, y.start, width),
        axes.up(y, x.start, x.end),
        legend,
        svg.joined(d.band() for d in drawn),
        svg.joined(_level(r, x, y) for r in levels),
        svg.joined(d.line() for d in drawn),
        _names(levels, x, y, decimals, unit),
        svg.joined(d.marks(decimals, unit) for d in drawn),
        svg.nothing((x.start + x.end) / 2, (y.start + y.end) / 2) if empty else Markup(),
    )  # fmt: skip


def table(
    series: Sequence[Series], references: Sequence[Reference] = (), *, caption: str, decimals: int = 1, unit: str = ""
) -> Markup:
    """Every point of every line, then the references."""
    rows = [
        (moment(p.at), s.name, number(p.value, decimals) + unit, between(p.low, p.high, decimals), number(p.n))
        for s in series
        for p in s.points
    ]
    rows += [("always", r.name, number(r.value, decimals) + unit, "", "") for r in references]
    return svg.twin(caption, ("Time", "Line", "Value", "Interval", "n"), rows)


class _Drawn:
    """One line in the picture, thinned to its share of the points."""

    def __init__(self, series: Series, known: Sequence[_Known], x: Axis, y: Axis, among: int) -> None:
        self._series, self._known, self._x, self._y, self._among = series, known, x, y, among

    def line(self) -> Markup:
        kept = self._thinned(_LINE)
        if len(kept) < 2:
            return Markup()
        d = svg.path((self._x.at(k.at), self._y.at(k.value)) for k in kept)
        return svg.tag("path", class_=f"line s-{self._series.klass}", d=d)

    def band(self) -> Markup:
        known = [(k, k.point.low, k.point.high) for k in self._known]
        banded = [(k.at, low, high) for k, low, high in known if usable(low) and usable(high)]
        if len(banded) < 2:
            return Markup()
        columns = _LINE // 4 // self._among
        lows = thinned(banded, lambda b: b[0], lambda b: b[1], columns)
        highs = thinned(banded, lambda b: b[0], lambda b: b[2], columns)
        edge = [(self._x.at(at), self._y.at(high)) for at, _, high in highs]
        edge += [(self._x.at(at), self._y.at(low)) for at, low, _ in reversed(lows)]
        return svg.tag("path", class_=f"band s-{self._series.klass}", d=svg.path(edge, closed=True))

    def marks(self, decimals: int, unit: str) -> Markup:
        shown = "dot" if len(self._known) <= _DOTTED else "dot far"
        return svg.joined(
            svg.tag(
                "circle",
                svg.tag("title", _words(self._series.name, k, decimals, unit)),
                class_=f"{shown} s-{self._series.klass}",
                cx=self._x.at(k.at),
                cy=self._y.at(k.value),
                r=2.5,
                data_x=stamp(k.point.at),
                data_y=raw(k.value),
            )
            for k in self._thinned(_MARKS)
        )

    def _thinned(self, points: int) -> list[_Known]:
        return thinned(self._known, lambda k: k.at, lambda k: k.value, points // 2 // self._among)


def _known(points: Sequence[Point]) -> list[_Known]:
    known = (_Known(p.at.timestamp(), p.value, p) for p in points if usable(p.value))
    return sorted(known, key=lambda k: k.at)


def _heights(lines: Sequence[tuple[Series, Sequence[_Known]]]) -> Iterator[float | None]:
    for _, known in lines:
        for k in known:
            yield k.value
            if usable(k.point.low) and usable(k.point.high):
                yield from (k.point.low, k.point.high)


def _words(name: str, known: _Known, decimals: int, unit: str) -> str:
    interval = between(known.point.low, known.point.high, decimals)
    said = f"{name}: {number(known.value, decimals)}{unit}"
    if interval:
        said += f" ({interval})"
    if known.point.n is not None:
        said += f", n = {number(known.point.n)}"
    return f"{said} · {moment(known.point.at)}"


def _description(
    lines: Sequence[tuple[Series, Sequence[_Known]]], levels: Sequence[Reference], decimals: int, unit: str
) -> str:
    said = [
        f"{s.name}: {number(known[-1].value, decimals)}{unit} at the end, {number(len(known))} points"
        f" from {day(known[0].point.at)} to {day(known[-1].point.at)}"
        for s, known in lines
        if known
    ]
    said += [f"{r.name}: {number(r.value, decimals)}{unit}" for r in levels]
    return "; ".join(said) + "." if said else "No data yet."


def _legend(series: Sequence[Series], width: float) -> tuple[Markup, float]:
    """Names of the lines over the plot, and where the plot begins; a name too long for a line takes several."""
    parts: list[Markup] = []
    x, y = 0.0, 14.0
    for one in series:
        if x and x + _SWATCH + svg.extent(one.name) > width:
            x, y = 0.0, y + svg.LINE
        name = svg.broken(one.name, width - _SWATCH)
        swatch = svg.tag("line", class_=f"line s-{one.klass}", x1=x, x2=x + 16, y1=y - 4, y2=y - 4)
        parts.append(svg.tag("g", swatch, svg.label(x + _SWATCH, y, name, "legend-name"), class_="legend"))
        y += svg.LINE * (len(name) - 1)
        x = x + _SWATCH + svg.extent(one.name) + 14 if len(name) == 1 else width
    return svg.joined(parts), y + 16 if series else 12.0


def _level(reference: Reference, x: Axis, y: Axis) -> Markup:
    at = y.at(reference.value)
    return svg.tag("line", class_="reference", x1=x.start, x2=x.end, y1=at, y2=at, data_y=raw(reference.value))


def _names(levels: Sequence[Reference], x: Axis, y: Axis, decimals: int, unit: str) -> Markup:
    names = [svg.broken(f"{r.name} {number(r.value, decimals)}{unit}", x.end - x.start) for r in levels]
    places = apart([y.at(r.value) - 4 for r in levels], svg.LINE - 3, y.end + 10, y.start - 3)
    return svg.joined(
        svg.label(x.end - 2, at, name, "reference-name", "end") for at, name in zip(places, names, strict=True)
    )
