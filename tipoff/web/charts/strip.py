"""The history of health: a row a check, coloured by how it was."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from tipoff.web.charts import axes, svg
from tipoff.web.charts.figures import moment, span, stamp
from tipoff.web.charts.rows import BAR, Row, stacked
from tipoff.web.charts.scale import Axis, times_axis

MOST = 288
"""stretches that a strip shows: five minutes each of a day"""
_RECTS = 400
_WORST = ("error", "warning", "ok")
_HEIGHTS = {"error": BAR, "warning": 0.7 * BAR, "ok": 0.4 * BAR, "unknown": 0.2 * BAR}
"""the worse the higher, so that nobody needs to tell colours apart"""


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """From `at` for so many seconds each check was ok, warning or error; None where it did not look."""

    at: dt.datetime
    statuses: Mapping[str, str | None]
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Run:
    """A check was the same from one moment to another."""

    status: str
    begin: dt.datetime
    end: dt.datetime


def chart(
    stretches: Sequence[Stretch], *, chart_id: str, title: str = "Health over time", width: float = svg.WIDTH
) -> Markup:
    """A strip a check, the worse the higher, over one time axis; of too many changes the worst are shown."""
    runs = _fitting(sorted(stretches, key=lambda s: s.at))
    ends = [m for of_check in runs.values() for r in of_check for m in (r.begin, r.end)]
    x = times_axis(ends, 0, width)
    stack = stacked([Row(name, _said(of_check[-1].status)) for name, of_check in runs.items()], width, 4)
    foot = (stack.bottom if runs else 60.0) + 6
    return svg.picture(
        "strip", chart_id, title, _description(runs), width, foot + 22,
        axes.area(x, Axis(0, 1, foot, 2, ())),
        axes.across(x, 2, foot, width),
        stack.text,
        svg.joined(_strip(n, r, x, y) for (n, r), y in zip(runs.items(), stack.bars, strict=True)),
        Markup() if runs else svg.nothing(width / 2, 36),
    )  # fmt: skip


def table(stretches: Sequence[Stretch], *, caption: str = "Health over time") -> Markup:
    """From when to when each check was how."""
    return svg.twin(caption, ("Check", "Status", "From", "To", "For"), (
        (name, _said(r.status), moment(r.begin), moment(r.end), span((r.end - r.begin).total_seconds()))
        for name, of_check in _runs(sorted(stretches, key=lambda s: s.at)).items()
        for r in of_check
    ))  # fmt: skip


def _strip(name: str, runs: Sequence[_Run], x: Axis, y: float) -> Markup:
    track = svg.tag("rect", class_="track", x=x.start, y=y, width=x.end - x.start, height=BAR)
    return svg.tag("g", track, *(_rect(name, r, x, y) for r in runs), class_="row", data_y=name)


def _rect(name: str, run: _Run, x: Axis, y: float) -> Markup:
    left, right = x.at(run.begin.timestamp()), x.at(run.end.timestamp())
    lasted = span((run.end - run.begin).total_seconds())
    return svg.tag(
        "rect",
        svg.tag("title", f"{name}: {_said(run.status)} for {lasted} from {moment(run.begin)}"),
        class_=run.status,
        x=left,
        y=y + BAR - _HEIGHTS[run.status],
        width=right - left,
        height=_HEIGHTS[run.status],
        data_x=stamp(run.begin),
        data_y=run.status,
    )


def _fitting(stretches: Sequence[Stretch]) -> dict[str, list[_Run]]:
    while len(stretches) > MOST:
        stretches = _halved(stretches)
    runs = _runs(stretches)
    while sum(map(len, runs.values())) > _RECTS and len(stretches) > 1:
        stretches = _halved(stretches)
        runs = _runs(stretches)
    return runs


def _halved(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Each two neighbours as one, as bad as the worse of them."""
    return [_both(*stretches[i : i + 2]) for i in range(0, len(stretches), 2)]


def _both(first: Stretch, second: Stretch | None = None) -> Stretch:
    if second is None:
        return first
    names = {**first.statuses, **second.statuses}
    worst = {n: _worst(first.statuses.get(n), second.statuses.get(n)) for n in names}
    end = second.at + dt.timedelta(seconds=second.seconds)
    return Stretch(first.at, worst, (end - first.at).total_seconds())


def _worst(*statuses: str | None) -> str | None:
    return next((s for s in _WORST if s in statuses), None)


def _runs(stretches: Sequence[Stretch]) -> dict[str, list[_Run]]:
    """What each check was from when to when; neighbours that are the same are one, a gap of time is left open."""
    runs: dict[str, list[_Run]] = {}
    for stretch in stretches:
        end = stretch.at + dt.timedelta(seconds=max(stretch.seconds, 0.0))
        for name, said in stretch.statuses.items():
            status = said if said in _WORST else "unknown"
            of_check = runs.setdefault(name, [])
            if of_check and of_check[-1].status == status and stretch.at <= of_check[-1].end + _SLACK:
                of_check[-1] = _Run(status, of_check[-1].begin, max(end, of_check[-1].end))
            else:
                of_check.append(_Run(status, stretch.at, end))
    return runs


_SLACK = dt.timedelta(seconds=1)
"""between the end of a stretch and the next: no gap"""


def _said(status: str) -> str:
    return "not looked" if status == "unknown" else status


def _description(runs: Mapping[str, Sequence[_Run]]) -> str:
    said = [f"{name}: {_said(of_check[-1].status)}" for name, of_check in runs.items()]
    return "At the end " + ", ".join(said) + "." if said else "No data yet."
