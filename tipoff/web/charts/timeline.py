"""Where the time of a job went: waiting, running, and its steps."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from tipoff.web.charts import axes, svg
from tipoff.web.charts.figures import moment, span, stamp
from tipoff.web.charts.rows import BAR, Row, stacked
from tipoff.web.charts.scale import Axis, times_axis

MOST = 40
"""steps that the chart shows; of more, the longest"""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A step of a job; one without an end is running."""

    name: str
    started: dt.datetime
    finished: dt.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """When a job was created, started and finished, and its steps."""

    created: dt.datetime
    started: dt.datetime | None
    finished: dt.datetime | None
    steps: Sequence[Step] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    begin: dt.datetime
    end: dt.datetime
    klass: str

    @property
    def seconds(self) -> float:
        return (self.end - self.begin).total_seconds()


def chart(
    job: Timeline, now: dt.datetime, *, chart_id: str, title: str = "Timeline", width: float = svg.WIDTH
) -> Markup:
    """Bars on one time axis with their durations; what still runs ends at `now`."""
    bars = _shown(job, now)
    x = times_axis((m for b in bars for m in (b.begin, b.end)), 0, width)
    stack = stacked([Row(b.name, span(b.seconds)) for b in bars], width, 4)
    foot = stack.bottom + 6
    return svg.picture(
        "timeline", chart_id, title, "; ".join(f"{b.name}: {span(b.seconds)}" for b in bars) + ".", width,
        foot + 22,
        axes.area(x, Axis(0, 1, foot, 2, ())),
        axes.across(x, 2, foot, width),
        stack.text,
        svg.joined(_drawn(b, x, y) for b, y in zip(bars, stack.bars, strict=True)),
    )  # fmt: skip


def table(job: Timeline, now: dt.datetime, *, caption: str = "Timeline") -> Markup:
    """Every stretch of the job with its beginning, end and duration."""
    return svg.twin(caption, ("Part", "From", "To", "Took"), (
        (b.name, moment(b.begin), "running" if b.klass.endswith("open") else moment(b.end), span(b.seconds))
        for b in (*_whole(job, now), *_steps(job, now))
    ))  # fmt: skip


def _shown(job: Timeline, now: dt.datetime) -> list[_Bar]:
    steps = list(_steps(job, now))
    if len(steps) > MOST:
        longest = sorted(steps, key=lambda b: -b.seconds)[:MOST]
        steps = sorted(longest, key=lambda b: b.begin)
    return [*_whole(job, now), *steps]


def _whole(job: Timeline, now: dt.datetime) -> Iterator[_Bar]:
    yield _bar("waiting", job.created, job.started or job.finished, now, "waiting")
    if job.started is not None:
        yield _bar("running", job.started, job.finished, now, "running")


def _steps(job: Timeline, now: dt.datetime) -> Iterator[_Bar]:
    for step in job.steps:
        yield _bar(step.name, step.started, step.finished or job.finished, now, "step")


def _bar(name: str, begin: dt.datetime, end: dt.datetime | None, now: dt.datetime, klass: str) -> _Bar:
    """Clocks of two machines may differ a little: nothing ends before it begins."""
    return _Bar(name, begin, max(begin, now if end is None else end), klass + (" open" if end is None else ""))


def _drawn(bar: _Bar, x: Axis, y: float) -> Markup:
    left, right = x.at(bar.begin.timestamp()), x.at(bar.end.timestamp())
    return svg.tag(
        "rect",
        svg.tag("title", f"{bar.name}: {span(bar.seconds)} from {moment(bar.begin)}"),
        class_=bar.klass,
        x=left,
        y=y,
        width=right - left,
        height=BAR,
        data_x=stamp(bar.begin),
        data_y=bar.name,
    )
