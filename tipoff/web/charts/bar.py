"""Bars: how a match is split between two, what adds up to a forecast, and shares with their intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from tipoff.web.charts import axes, svg
from tipoff.web.charts.figures import between, number, percent, percents, raw, signed, usable
from tipoff.web.charts.rows import BAR, Row, stacked
from tipoff.web.charts.scale import Axis, shares_axis, values_axis

MOST = 40
"""rows that a chart shows"""
_WITHIN_95 = 1.96


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One reason: what it adds, its standard deviation, and a sentence."""

    name: str
    value: float | None
    sd: float | None = None
    words: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """How often something came true, its 95% interval, of how many, and what was stated before."""

    name: str
    share: float | None
    low: float | None
    high: float | None
    n: int
    stated: float | None = None


def split(p_a: float | None, tick: float | None = None, *, words: str | None = None) -> Markup:
    """The chance of side A from the left, that of B from the right; `tick` is another's chance of A (a market's).

    Without `words` it is decoration beside figures that say the same.
    """
    parts: list[Markup] = []
    if usable(p_a):
        at = 100 * min(max(p_a, 0.0), 1.0)
        parts.append(svg.tag("rect", class_="side-a", x=0, y=0, width=at, height=8))
        parts.append(svg.tag("rect", class_="side-b", x=at, y=0, width=100 - at, height=8))
        parts.append(svg.tag("line", class_="gap", x1=at, x2=at, y1=0, y2=8))
    if usable(tick):
        at = 100 * min(max(tick, 0.0), 1.0)
        parts.append(svg.tag("line", class_="tick-mark", x1=at, x2=at, y1=0, y2=8))
    named = {"role": "img", "aria_label": words} if words else {"aria_hidden": "true"}
    title = [svg.tag("title", words)] if words else []
    return svg.tag(
        "svg", *title, *parts, class_="chart-split", viewBox="0 0 100 8", preserveAspectRatio="none", **named
    )


def parts(
    data: Sequence[Part], *, chart_id: str, title: str, ends: tuple[str, str] | None = None, decimals: int = 1,
    unit: str = "", width: float = svg.WIDTH,
) -> Markup:  # fmt: skip
    """Bars to both sides of 0 with 95% whiskers; `ends` says what left and right of 0 mean."""
    known = [(p, p.value) for p in data if usable(p.value)]
    known = sorted(known, key=lambda k: -abs(k[1]))[:MOST] if len(known) > MOST else known
    reach = [bound for part, value in known for bound in _bounds(part, value)]
    both = any(value < 0 for _, value in known)
    if both:
        reach += [-bound for bound in reach]
    x = values_axis((0.0, *reach), 0, width, show=signed if both else number)
    header, top = _ends(ends, width)
    stack = stacked([Row(p.name, signed(v, decimals) + unit, p.words) for p, v in known], width, top + 2)
    foot = (stack.bottom if known else top + 58) + 6
    return svg.picture(
        "parts", chart_id, title, _left_out(len(known), len(data)), width, foot + 22,
        axes.area(x, Axis(0, 1, foot, top, ())),
        axes.across(x, top, foot, width),
        svg.tag("line", class_="zero", x1=x.at(0), x2=x.at(0), y1=top, y2=foot),
        header,
        stack.text,
        svg.joined(_part(p, v, x, y, decimals, unit) for (p, v), y in zip(known, stack.bars, strict=True)),
        Markup() if known else svg.nothing(width / 2, (top + foot) / 2),
    )  # fmt: skip


def parts_table(data: Sequence[Part], *, caption: str, decimals: int = 1, unit: str = "") -> Markup:
    """Every part with its interval and its words."""
    return svg.twin(caption, ("Part", "Adds", "95% interval", "In words"), (
        (p.name, signed(p.value, decimals) + unit, _interval(p, decimals), p.words) for p in data
    ))  # fmt: skip


def shares(data: Sequence[Share], *, chart_id: str, title: str, width: float = svg.WIDTH) -> Markup:
    """How often each came true (bar), its interval (whisker) and what had been stated (tick), of 0 to 100%."""
    known = [(s, s.share) for s in data if s.n > 0 and usable(s.share)][:MOST]
    x = shares_axis(0, width)
    stack = stacked([Row(s.name, f"{percent(v)} of {number(s.n)}") for s, v in known], width, 4)
    foot = (stack.bottom if known else 60.0) + 6
    return svg.picture(
        "shares", chart_id, title, _left_out(len(known), len(data)), width, foot + 22,
        axes.area(x, Axis(0, 1, foot, 2, ())),
        axes.across(x, 2, foot, width),
        stack.text,
        svg.joined(_share(s, v, x, y) for (s, v), y in zip(known, stack.bars, strict=True)),
        Markup() if known else svg.nothing(width / 2, 36),
    )  # fmt: skip


def shares_table(data: Sequence[Share], *, caption: str) -> Markup:
    """Every share with its interval and its number."""
    return svg.twin(caption, ("Group", "Came true", "95% interval", "n", "Stated"), (
        (s.name, percent(s.share, 1), percents(s.low, s.high), number(s.n), percent(s.stated, 1)) for s in data
    ))  # fmt: skip


def _part(part: Part, value: float, x: Axis, y: float, decimals: int, unit: str) -> Markup:
    left, right = sorted((x.at(0), x.at(value)))
    interval = _interval(part, decimals)
    said = f"{part.name}: {signed(value, decimals)}{unit}" + (f" (95%: {interval})" if interval else "")
    side = "side-a" if value >= 0 else "side-b"
    bar = svg.tag("rect", class_=side, x=left, y=y, width=right - left, height=BAR)
    whisker = _whisker(*_bounds(part, value), x, y) if interval else Markup()
    return svg.tag("g", svg.tag("title", said), bar, whisker, class_="row", data_x=raw(value), data_y=part.name)


def _share(share: Share, value: float, x: Axis, y: float) -> Markup:
    interval = percents(share.low, share.high)
    said = f"{share.name}: {percent(value, 1)} of {number(share.n)}" + (f" (95%: {interval})" if interval else "")
    drawn = [svg.tag("rect", class_="side-a", x=x.start, y=y, width=x.at(value) - x.start, height=BAR)]
    if usable(share.low) and usable(share.high):
        drawn.append(_whisker(share.low, share.high, x, y))
    if usable(share.stated):
        said += f", stated {percent(share.stated, 1)}"
        at = x.at(share.stated)
        drawn.append(svg.tag("line", class_="tick-mark", x1=at, x2=at, y1=y - 3, y2=y + BAR + 3))
    room = svg.tag("rect", class_="track", x=x.start, y=y, width=x.end - x.start, height=BAR)
    return svg.tag("g", svg.tag("title", said), room, *drawn, class_="row", data_x=raw(value), data_y=share.name)


def _whisker(low: float, high: float, x: Axis, y: float) -> Markup:
    middle = y + BAR / 2
    return svg.tag("line", class_="whisker", x1=x.at(low), x2=x.at(high), y1=middle, y2=middle)


def _bounds(part: Part, value: float) -> tuple[float, float]:
    reach = _WITHIN_95 * part.sd if usable(part.sd) else 0.0
    return value - reach, value + reach


def _interval(part: Part, decimals: int) -> str:
    if not usable(part.value) or not usable(part.sd):
        return ""
    low, high = _bounds(part, part.value)
    return between(low, high, decimals)


def _ends(ends: tuple[str, str] | None, width: float) -> tuple[Markup, float]:
    """What both sides mean, and where the plot below it begins."""
    if ends is None:
        return Markup(), 2.0
    left, right = svg.broken(f"← {ends[0]}", width / 2 - 8), svg.broken(f"{ends[1]} →", width / 2 - 8)
    said = svg.label(0, 15, left, "end-b") + svg.label(width, 15, right, "end-a", "end")
    return said, 4 + svg.LINE * max(len(left), len(right))


def _left_out(shown: int, given: int) -> str:
    return (
        f"{number(shown)} rows."
        if shown == given
        else f"{number(shown)} of {number(given)} rows; all are in the table."
    )
