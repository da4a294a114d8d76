"""The frame of a plot: thin lines at the ticks, their labels, and what the axes mean."""

from __future__ import annotations

from markupsafe import Markup

from tipoff.web.charts.scale import Axis
from tipoff.web.charts.svg import extent, joined, label, tag

_EDGE = 30.0
"""a label nearer to the right edge of the picture ends at its tick"""


def across(axis: Axis, top: float, bottom: float, width: float, *, low: float | None = None) -> Markup:
    """Ticks of a horizontal axis: lines from top to bottom, labels under `low` (the bottom unless said)."""
    under = (bottom if low is None else low) + 17
    return joined(
        tag(
            "g",
            tag("line", x1=axis.at(t.value), x2=axis.at(t.value), y1=top, y2=bottom),
            label(axis.at(t.value), under, t.label, "tick-label", _anchor(axis.at(t.value), width)),
            class_="tick tick-x",
            data_value=t.data,
        )
        for t in axis.ticks
    )


def up(axis: Axis, left: float, right: float) -> Markup:
    """Ticks of a vertical axis: lines from left to right, labels left of them."""
    return joined(
        tag(
            "g",
            tag("line", x1=left, x2=right, y1=axis.at(t.value), y2=axis.at(t.value)),
            label(left - 6, axis.at(t.value) + 4, t.label, "tick-label", "end"),
            class_="tick tick-y",
            data_value=t.data,
        )
        for t in axis.ticks
    )


def margin(axis: Axis) -> float:
    """Room that the labels of a vertical axis take."""
    return 8 + max((extent(t.label) for t in axis.ticks), default=0.0)


def area(x: Axis, y: Axis) -> Markup:
    """The plot itself: nothing of the data is drawn outside it."""
    left, right = sorted((x.start, x.end))
    top, bottom = sorted((y.start, y.end))
    return tag("rect", class_="plot", x=left, y=top, width=right - left, height=bottom - top)


def _anchor(x: float, width: float) -> str:
    if x > width - _EDGE:
        return "end"
    return "start" if x < _EDGE else "middle"
