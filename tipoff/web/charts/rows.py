"""Rows of a chart for any width: a name and its figure on a line, words below, a bar under them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from tipoff.web.charts.svg import LINE, broken, extent, joined, label

BAR = 10.0
"""height of a bar"""
_SMALLER = 1.15
"""more of the words fit into a line than of a bold name"""
_GAP = 14.0
"""between a bar and the name below it"""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What stands over a bar: a name (never cut, broken into lines), its figure at the right, words."""

    name: str
    figure: str
    words: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Stack:
    """The text of all rows, where each row's bar begins, and where the last ends."""

    text: Markup
    bars: tuple[float, ...]
    bottom: float


def stacked(rows: Sequence[Row], width: float, top: float) -> Stack:
    """Lay rows out under each other."""
    parts: list[Markup] = []
    bars: list[float] = []
    y = top
    for row in rows:
        name = broken(row.name, width - extent(row.figure) - 16)
        words = broken(row.words, _SMALLER * width) if row.words else []
        parts.append(label(0, y + 13, name, "row-name"))
        parts.append(label(width, y + 13, row.figure, "row-figure", "end"))
        if words:
            parts.append(label(0, y + 13 + LINE * len(name), words, "row-words"))
        y += LINE * (len(name) + len(words)) + 2
        bars.append(y)
        y += BAR + _GAP
    return Stack(joined(parts), tuple(bars), y - _GAP if rows else top)
