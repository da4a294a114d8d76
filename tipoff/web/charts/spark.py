"""A line as small as a word, beside a figure: decoration, so its meaning is given as text."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tipoff.web.charts import svg
from tipoff.web.charts.figures import usable
from tipoff.web.charts.scale import Axis, thinned

_EDGE = 1.5


def chart(values: Sequence[float | None], words: str, *, width: float = 120.0, height: float = 32.0) -> Markup:
    """The line over its area, hidden from readers of the page, who are told `words` instead."""
    known = [(float(i), v) for i, v in enumerate(values) if usable(v)]
    return svg.joined((
        svg.tag(
            "svg", *(_drawn(known, width, height) if known else ()), class_="chart-spark", aria_hidden="true",
            viewBox=f"0 0 {width:g} {height:g}", preserveAspectRatio="none",
        ),
        svg.tag("span", words, class_="chart-words"),
    ))  # fmt: skip


def _drawn(known: list[tuple[float, float]], width: float, height: float) -> tuple[Markup, Markup]:
    if len(known) == 1:
        known = [known[0], (known[0][0] + 1, known[0][1])]
    low, high = min(v for _, v in known), max(v for _, v in known)
    y = (
        Axis(low, high, height - _EDGE, _EDGE, ())
        if high > low
        else Axis(low - 1, low + 1, height - _EDGE, _EDGE, ())
    )
    x = Axis(known[0][0], known[-1][0], 0.0, width, ())
    kept = thinned(known, lambda p: p[0], lambda p: p[1], max(1, int(width)))
    line = [(x.at(i), y.at(v)) for i, v in kept]
    area = [(line[0][0], height), *line, (line[-1][0], height)]
    return svg.tag("path", class_="area", d=svg.path(area, closed=True)), svg.tag(
        "path", class_="line", d=svg.path(line)
    )
