"""Both scores at once: how likely each is, and on which side of the diagonal they lie."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from statistics import NormalDist

from markupsafe import Markup

from tipoff.web.charts import axes, svg
from tipoff.web.charts.distribution import normal_of
from tipoff.web.charts.figures import number, percent, usable
from tipoff.web.charts.scale import Axis, values_axis

_CELLS = 26
"""columns and rows, at most"""
_REACH = 2.8
"""standard deviations to both sides that are shown"""
_FAINT = 0.02
"""cells below this share of the likeliest are left out"""


@dataclasses.dataclass(frozen=True, slots=True)
class Scores:
    """Margin (A's points less B's) and total, normal and independent; the outcome as points of A and B."""

    name_a: str
    name_b: str
    margin: float | None
    margin_sd: float | None
    total: float | None
    total_sd: float | None
    outcome: tuple[int, int] | None = None
    p_a: float | None = None
    """the chance of A that is stated elsewhere; without it that of the normal margin"""


@dataclasses.dataclass(frozen=True, slots=True)
class _Joint:
    margin: NormalDist
    total: NormalDist
    scores: Scores

    @property
    def means(self) -> tuple[float, float]:
        """Of A's points and B's."""
        return (self.total.mean + self.margin.mean) / 2, (self.total.mean - self.margin.mean) / 2

    @property
    def sd(self) -> float:
        """Of either's points."""
        return math.hypot(self.margin.stdev, self.total.stdev) / 2

    @property
    def wins(self) -> tuple[str, str]:
        """Chances of A and B, adding up to 100%."""
        stated = self.scores.p_a
        b = round(self.margin.cdf(0) if stated is None else 1 - stated, 2)
        return percent(1 - b), percent(b)

    def density(self, a: float, b: float) -> float:
        """Of the score at these points."""
        return 2 * self.margin.pdf(a - b) * self.total.pdf(a + b)


def chart(
    scores: Scores, *, chart_id: str, title: str = "Score", width: float = 400.0, height: float = 440.0
) -> Markup:
    """A's points to the right, B's upward; the darker the likelier; below the diagonal A wins."""
    joint = _joint(scores)
    name_b = svg.broken(f"↑ {scores.name_b}", width)
    name_a = svg.broken(f"{scores.name_a} →", width)
    top, foot = 12 + svg.LINE * len(name_b), height - 12 - svg.LINE * (1 + len(name_a))
    first, step, cells = _range(joint)
    low, high = first - 0.5, first + step * cells - 0.5
    x = _points(low, high, 40.0, width - 8)
    y = _points(low, high, foot, top)
    return svg.picture(
        "heat", chart_id, title, _said(joint), width, height,
        axes.area(x, y),
        svg.joined(_cells(joint, first, step, cells, x, y)) if joint else Markup(),
        axes.across(x, top, foot, width),
        axes.up(y, x.start, x.end),
        svg.tag("line", class_="diagonal", x1=x.start, y1=y.start, x2=x.end, y2=y.end),
        svg.label(0, 14, name_b, "end-b"),
        svg.label(x.end, foot + 18 + svg.LINE, name_a, "end-a", "end"),
        _corners(joint, x, y) if joint else svg.nothing((x.start + x.end) / 2, (top + foot) / 2),
        _cross(scores.outcome, x, y) if joint and scores.outcome else Markup(),
    )  # fmt: skip


def table(scores: Scores, *, caption: str = "Score") -> Markup:
    """What each is expected to score, with 80% intervals, and the chances to win."""
    joint = _joint(scores)
    reach = NormalDist().inv_cdf(0.9) * joint.sd if joint else None
    ends = [(number(m - reach), number(m + reach)) for m in joint.means] if joint and reach else [("–", "–")] * 2
    means = joint.means if joint else (None, None)
    wins = joint.wins if joint else ("–", "–")
    outcome = scores.outcome or (None, None)
    return svg.twin(caption, ("Player", "Mean points", "80% interval", "Wins", "Scored"), (
        (name, number(means[i], 1), " to ".join(ends[i]), wins[i], number(outcome[i]))
        for i, name in enumerate((scores.name_a, scores.name_b))
    ))  # fmt: skip


def _joint(scores: Scores) -> _Joint | None:
    margin, total = normal_of(scores.margin, scores.margin_sd), normal_of(scores.total, scores.total_sd)
    return _Joint(margin, total, scores) if margin and total else None


def _range(joint: _Joint | None) -> tuple[int, int, int]:
    """The first score shown, how many scores a cell holds, and how many cells there are; the same for A and B."""
    if joint is None:
        return 0, 5, 20
    low, high = min(joint.means) - _REACH * joint.sd, max(joint.means) + _REACH * joint.sd
    outcome = [p for p in joint.scores.outcome or () if usable(p)]
    low, high = max(0.0, min([low, *outcome])), max([high, 1.0, *outcome])
    step = math.ceil((high - low + 1) / (_CELLS - 1))
    first = math.floor(low / step) * step
    return first, step, math.floor((high - first) / step) + 1


def _points(low: float, high: float, start: float, end: float) -> Axis:
    """An axis of points whose ends are the edges of cells."""
    round_ones = values_axis((low, high), start, end)
    ticks = tuple(t for t in round_ones.ticks if low <= t.value <= high)
    return Axis(low, high, start, end, ticks)


def _cells(joint: _Joint, first: int, step: int, cells: int, x: Axis, y: Axis) -> Iterator[Markup]:
    peak = joint.density(*joint.means)
    scores = [first + step * i for i in range(cells)]
    for b in scores:
        for a in scores:
            density = joint.density(a + (step - 1) / 2, b + (step - 1) / 2)
            if density >= _FAINT * peak:
                yield _cell(a, b, step, min(int(10 * density / peak), 9), density * step**2, x, y)


def _cell(a: int, b: int, step: int, heat: int, share: float, x: Axis, y: Axis) -> Markup:
    left, right, foot, top = x.at(a - 0.5), x.at(a + step - 0.5), y.at(b - 0.5), y.at(b + step - 0.5)
    side = "a" if a > b else "b" if b > a else "even"
    return svg.tag(
        "rect", svg.tag("title", f"{_scores(a, step)} : {_scores(b, step)}, {percent(share, 2)}"),
        class_=f"{side} q{heat}", x=left, y=top, width=right - left, height=foot - top, data_x=str(a), data_y=str(b),
    )  # fmt: skip


def _scores(first: int, step: int) -> str:
    return str(first) if step == 1 else f"{first}–{first + step - 1}"


def _corners(joint: _Joint, x: Axis, y: Axis) -> Markup:
    a, b = joint.wins
    return svg.joined((
        svg.label(x.end - 8, y.start - 10, f"wins {a}", "end-a", "end"),
        svg.label(x.start + 8, y.end + 20, f"wins {b}", "end-b"),
    ))  # fmt: skip


def _cross(outcome: tuple[int, int], x: Axis, y: Axis) -> Markup:
    if not all(map(usable, outcome)):
        return Markup()
    at, height = x.at(outcome[0]), y.at(outcome[1])
    lines = svg.path([(at - 7, height), (at + 7, height)]) + svg.path([(at, height - 7), (at, height + 7)])
    said = f"ended {number(outcome[0])}–{number(outcome[1])}"
    return svg.tag(
        "path", svg.tag("title", said), class_="cross", d=lines, data_x=str(outcome[0]), data_y=str(outcome[1])
    )


def _said(joint: _Joint | None) -> str:
    if joint is None:
        return "No data yet."
    (a, b), (wins_a, wins_b), scores = joint.means, joint.wins, joint.scores
    said = f"Likeliest about {number(a)}–{number(b)}; {scores.name_a} wins {wins_a}, {scores.name_b} wins {wins_b}"
    return f"{said}; it ended {scores.outcome[0]}–{scores.outcome[1]}." if scores.outcome else f"{said}."
