"""How somebody played lately: a pill a match, newest first, with its letter."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from markupsafe import Markup

from tipoff.web.charts import svg
from tipoff.web.charts.figures import moment, number, usable

MOST = 20
"""pills that are shown"""
_LETTERS = {"won": "W", "lost": "L", "drawn": "D"}


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """A match as one of the two saw it: points of one's own and of the other."""

    at: dt.datetime
    opponent: str
    own: int | None
    other: int | None


def chart(results: Sequence[Result], *, most: int = MOST) -> Markup:
    """The newest `most` matches."""
    known = [(r, _outcome(r)) for r in _newest(results)]
    pills = [_pill(r, outcome) for r, outcome in known if outcome is not None][:most]
    return svg.tag("span", *pills, class_="pills") if pills else svg.tag("span", "no data yet", class_="pills empty")


def table(results: Sequence[Result], *, caption: str = "Form") -> Markup:
    """Every match."""
    return svg.twin(caption, ("Date", "Opponent", "Result", "Score"), (
        (moment(r.at), r.opponent, _LETTERS.get(_outcome(r) or "", "–"), f"{number(r.own)}–{number(r.other)}")
        for r in _newest(results)
    ))  # fmt: skip


def _newest(results: Sequence[Result]) -> list[Result]:
    return sorted(results, key=lambda r: r.at, reverse=True)


def _outcome(result: Result) -> str | None:
    own, other = result.own, result.other
    if not usable(own) or not usable(other):
        return None
    if own == other:
        return "drawn"
    return "won" if own > other else "lost"


def _pill(result: Result, outcome: str) -> Markup:
    score = f"{number(result.own)}–{number(result.other)}"
    said = f"{outcome} {score} against {result.opponent}, {moment(result.at)}"
    return svg.tag("span", _LETTERS[outcome], class_=f"pill {outcome}", title=said)
