"""Calibration: of forecasts that said 70%, did 70% come true? Dots on the diagonal say yes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from markupsafe import Markup

from tipoff.web.charts import axes, svg
from tipoff.web.charts.figures import number, percent, percents, raw, usable
from tipoff.web.charts.scale import Axis, shares_axis, thinned

_COLUMNS = 60
_LARGEST = 9.0
"""radius of the dot of the fullest bin"""
_HISTOGRAM = 40.0
_LABELLED = 10
"""so many bins have room for their numbers"""


FEW = 10
"""forecasts of a bin below which the line passes it by: its share says next to nothing"""


@dataclasses.dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts between low and high: how many, their mean, the share that was won, and its 95% interval."""

    low: float
    high: float
    n: int
    mean_forecast: float | None
    share_won: float | None
    share_low: float | None
    share_high: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Dot:
    bin: Bin
    forecast: float
    won: float


def chart(
    bins: Sequence[Bin], *, chart_id: str, title: str = "Calibration", width: float = 400.0, height: float = 430.0
) -> Markup:
    """Forecast against outcome with a dot a bin (area: matches), its interval, and the matches of each below."""
    dots = _dots(bins)
    x = shares_axis(48.0, width - 16)
    foot = height - 46
    y = shares_axis(foot - _HISTOGRAM - 8, 30.0)
    total = sum(d.bin.n for d in dots)
    return svg.picture(
        "calibration", chart_id, title,
        f"Share of forecasts that came true against the forecast, {number(total)} matches in {len(dots)} bins;"
        " on the diagonal forecasts are right.",
        width, height,
        axes.area(x, y),
        axes.across(x, y.end, foot, width),
        axes.up(y, x.start, x.end),
        svg.tag("line", class_="diagonal", x1=x.start, y1=y.start, x2=x.end, y2=y.end),
        _hints(x, y) if dots else Markup(),
        svg.label(0, 14, "Came true", "axis-name"),
        svg.label(x.end, height - 8, "Forecast probability", "axis-name", "end"),
        _histogram(dots, x, foot),
        _drawn(thinned(dots, lambda d: d.forecast, lambda d: d.won, _COLUMNS), x, y),
        Markup() if dots else svg.nothing((x.start + x.end) / 2, (y.start + y.end) / 2),
    )  # fmt: skip


def table(bins: Sequence[Bin], *, caption: str = "Calibration") -> Markup:
    """Every bin in words."""
    return svg.twin(caption, ("Forecast", "Matches", "Mean forecast", "Came true", "95% interval"), (
        (percents(b.low, b.high), number(b.n), percent(b.mean_forecast, 1), percent(b.share_won, 1),
         percents(b.share_low, b.share_high))
        for b in bins
    ))  # fmt: skip


def _dots(bins: Sequence[Bin]) -> list[_Dot]:
    return [
        _Dot(b, b.mean_forecast, b.share_won)
        for b in bins
        if b.n > 0 and usable(b.n) and usable(b.mean_forecast) and usable(b.share_won)
    ]


def _drawn(dots: Sequence[_Dot], x: Axis, y: Axis) -> Markup:
    most = max((d.bin.n for d in dots), default=1)
    line = svg.path((x.at(d.forecast), y.at(d.won)) for d in dots if d.bin.n >= FEW)
    return svg.joined((
        svg.tag("path", class_="line", d=line),
        *(_interval(d, x, y) for d in dots),
        *(_dot(d, x, y, most) for d in dots),
    ))  # fmt: skip


def _interval(dot: _Dot, x: Axis, y: Axis) -> Markup:
    low, high = dot.bin.share_low, dot.bin.share_high
    if not usable(low) or not usable(high):
        return Markup()
    at = x.at(dot.forecast)
    return svg.tag("line", class_="whisker", x1=at, x2=at, y1=y.at(low), y2=y.at(high))


def _dot(dot: _Dot, x: Axis, y: Axis, most: int) -> Markup:
    interval = percents(dot.bin.share_low, dot.bin.share_high)
    said = f"{percent(dot.won, 1)} of {number(dot.bin.n)} came true, forecast {percent(dot.forecast, 1)}"
    return svg.tag(
        "circle",
        svg.tag("title", said + (f" (95%: {interval})" if interval else "")),
        class_="dot",
        cx=x.at(dot.forecast),
        cy=y.at(dot.won),
        r=max(1.0, _LARGEST * math.sqrt(dot.bin.n / most)),
        data_x=raw(dot.forecast),
        data_y=raw(dot.won),
        data_n=raw(dot.bin.n),
    )


def _histogram(dots: Sequence[_Dot], x: Axis, foot: float) -> Markup:
    most = max((d.bin.n for d in dots), default=1)
    room = _HISTOGRAM - 14
    parts: list[Markup] = []
    for dot in thinned(dots, lambda d: d.bin.low, lambda d: d.bin.n, _COLUMNS):
        left, right, high = x.at(dot.bin.low), x.at(dot.bin.high), room * dot.bin.n / most
        parts.append(
            svg.tag("rect", class_="bin", x=left + 1, y=foot - high, width=max(right - left - 2, 0.5), height=high)
        )
        if len(dots) <= _LABELLED:
            parts.append(svg.label((left + right) / 2, foot - high - 3, number(dot.bin.n), "bin-n", "middle"))
    return svg.joined(parts)


def _hints(x: Axis, y: Axis) -> Markup:
    """Which side of the diagonal is which: it changes at 50%, where the forecast changes its favourite."""
    return svg.joined(
        svg.label(x.at(at), y.at(height), words, "hint", anchor)
        for at, height, words, anchor in (
            (0.03, 0.52, "overconfident", "start"),
            (0.51, 0.94, "underconfident", "start"),
            (0.49, 0.04, "underconfident", "end"),
            (0.97, 0.46, "overconfident", "end"),
        )
    )
