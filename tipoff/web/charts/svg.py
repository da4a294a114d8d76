"""Elements of a picture: everything that is not Markup already is escaped here, and only here."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from tipoff.web.charts.figures import raw

WIDTH = 480.0
"""of a chart, in its own units, where the page does not say: readable from 340 to 800 pixels"""
LINE = 18.0
"""height of a line of text, at the largest size that `charts.css` has"""
LETTER = 9.2
"""width of a small letter, bold, at that size"""
WIDE = 640
"""charts of this width and more are for wide places only: their letters do not grow on a phone"""
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def tag(name: str, *inner: str, **attributes: str | float | None) -> Markup:
    """One element: `data_x` is written data-x, `class_` class; None is left out; numbers are rounded to 0.1."""
    said = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _attribute(value))
        for key, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(text(part) for part in inner)
    if content or name not in ("line", "rect", "circle", "path"):
        return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), said, content)  # noqa: S704 (names are ours)
    return Markup("<{}{}/>").format(Markup(name), said)  # noqa: S704


def text(part: str) -> Markup:
    """Text that no parser reads as anything else; characters that XML cannot hold become U+FFFD."""
    return part if isinstance(part, Markup) else escape(_UNFIT.sub("\N{REPLACEMENT CHARACTER}", part))


def joined(parts: Iterable[Markup]) -> Markup:
    """Elements one after the other."""
    return Markup("").join(parts)


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """The `d` of a line through the points."""
    steps = " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
    return f"M{steps}{'Z' if closed else ''}" if steps else ""


def label(x: float, y: float, lines: str | Sequence[str], class_: str, anchor: str = "start") -> Markup:
    """Text at a place, one line under the other."""
    lines = [lines] if isinstance(lines, str) else lines
    end = None if anchor == "start" else anchor
    if len(lines) == 1:
        return tag("text", lines[0], x=x, y=y, class_=class_, text_anchor=end)
    spans = (tag("tspan", line, x=x, dy=LINE if i else None) for i, line in enumerate(lines))
    return tag("text", joined(spans), x=x, y=y, class_=class_, text_anchor=end)


def broken(words: str, room: float) -> list[str]:
    """The words in lines that fit into the room, whatever their length; at least one line."""
    if extent(words) <= room:
        return [words]
    letters = max(1, int(room * len(words) / extent(words)))
    return textwrap.wrap(words, letters, break_on_hyphens=False) or [""]


def extent(words: str) -> float:
    """How wide the words are at most."""
    return LETTER * sum(map(_breadth, words))


def picture(
    name: str, chart_id: str, title: str, description: str, width: float, height: float, *parts: Markup
) -> Markup:
    """The whole SVG: scales to the width of its container and is read out as its title and description."""
    key = re.sub(r"[^A-Za-z0-9_-]", lambda found: f".{ord(found[0]):x}.", chart_id)
    wide = " chart-wide" if width >= WIDE else ""
    return tag(
        "svg",
        tag("title", title, id=f"{key}-title"),
        tag("desc", description, id=f"{key}-desc"),
        *parts,
        class_=f"chart chart-{name}{wide}",
        role="img",
        viewBox=f"0 0 {_px(width)} {_px(height)}",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def nothing(width: float, height: float) -> Markup:
    """What stands where data will be."""
    return label(width, height, "no data yet", "empty", "middle")


def twin(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """The table that says what a chart shows; the first cell of a row names it."""
    head = tag("tr", joined(tag("th", h, scope="col") for h in heads))
    body = (
        tag("tr", tag("th", first, scope="row"), joined(tag("td", cell) for cell in rest)) for first, *rest in rows
    )
    return tag("table", tag("caption", caption), tag("thead", head), tag("tbody", joined(body)), class_="twin")


def _breadth(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 2.0
    return 1.25 if letter.isupper() or letter in "mw@%" else 1.0


def _px(value: float) -> str:
    return raw(round(value, 1))


def _attribute(value: str | float) -> Markup:
    return text(value if isinstance(value, str) else _px(value))
