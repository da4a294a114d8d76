"""What each addition to the model is worth on real matches, in paired differences, and what all of them cost.

A difference is that of the model with less that of the model without, match by match, with the interval from
resampling days: below zero the addition helps.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import RECORDED, WINDOW, real
from bench.forecast import MEASURES
from tipoff.domain.match import Match
from tipoff.forecast.additions import ADDITIONS
from tipoff.forecast.bootstrap import day_block_mean
from tipoff.forecast.forecaster import F64
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.metrics import Scores, score
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.table import MatchTable, build_table, minutes

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "7e924ec"
"""the last commit without additions"""
COLD_DAYS = 14
NAMES = tuple(ADDITIONS)


class Grades:
    """Scores of the filter with any additions, fitted until the window's day; each fit is made once."""

    def __init__(self, matches: list[Match]) -> None:
        self.table = build_table([m for m in matches if m.start.date() <= WINDOW.last])
        self.earlier = build_table([m for m in matches if m.start.date() <= WINDOW.fit_until])
        begin = dt.datetime.combine(WINDOW.first, dt.time(), tzinfo=dt.UTC)
        self.begin = int(np.searchsorted(self.table.start, minutes(begin)))
        self.days = self.table.start[self.begin :] // 1440
        self.middle = int(np.median(np.unique(self.days)))
        self.of = functools.cache(self._of)

    def _of(self, additions: tuple[str, ...]) -> Scores:
        print(f"fitting with {', '.join(additions) or 'no additions'}", file=sys.stderr)
        return _scores(
            GaussianFilter(base=dataclasses.replace(BUILT_IN, additions=additions)).fit(self.earlier),
            self.table,
            self.begin,
        )

    def difference(self, more: tuple[str, ...], fewer: tuple[str, ...]) -> dict[str, Any]:
        """On all graded matches, and on those of the later half of the days."""
        one, other = self.of(more), self.of(fewer)
        return {
            "all": _paired(one, other, self.days, self.days >= 0),
            "later": _paired(one, other, self.days, self.days > self.middle),
        }


def additions(folder: Path = RECORDED) -> dict[str, Any] | None:
    """Every row of docs/forecast.md; None without recorded matches."""
    matches = real(folder)
    if matches is None:
        return None
    grades = Grades(matches)
    return {
        "fit_until": str(WINDOW.fit_until), "first": str(WINDOW.first), "last": str(WINDOW.last),
        "matches": len(grades.days), "later": int(np.sum(grades.days > grades.middle)),
        "cumulative": [_cumulative(grades, count) for count in range(len(NAMES) + 1)],
        "left_out": {name: grades.difference(NAMES, _without(name)) for name in NAMES},
        "without_hindsight": without_hindsight(grades), "cold_start": cold_start(grades.table),
        "costs": costs(folder),
    }  # fmt: skip


def without_hindsight(grades: Grades) -> dict[str, float]:
    """Means where the built-in `v_late`, which later matches shaped, is that of everybody else."""
    same = {
        side: dataclasses.replace(values, v_late=values.v_link)
        for side, values in (("margin", BUILT_IN.margin), ("total", BUILT_IN.total))
    }
    print("fitting without hindsight", file=sys.stderr)
    fitted = GaussianFilter(base=dataclasses.replace(BUILT_IN, **same)).fit(grades.earlier)
    scores = _scores(fitted, grades.table, grades.begin)
    return {measure: float(getattr(scores, measure).mean()) for measure in MEASURES}


def _without(name: str) -> tuple[str, ...]:
    return tuple(other for other in NAMES if other != name)


def _cumulative(grades: Grades, count: int) -> dict[str, Any]:
    """The first `count` additions: means, difference from one fewer, difference from the plain structure."""
    chosen = NAMES[:count]
    scores = grades.of(chosen)
    return {
        "adds": NAMES[count - 1] if count else None,
        "means": {measure: float(getattr(scores, measure).mean()) for measure in MEASURES},
        "covered": {side: float(getattr(scores, f"{side}_inside").mean()) for side in ("margin", "total")},
        "step": grades.difference(chosen, NAMES[: max(count - 1, 0)]),
        "from_plain": grades.difference(chosen, ()),
    }


def cold_start(table: MatchTable) -> dict[str, Any]:
    """The first days of the record, which nothing precedes, with the built-in values: all additions less fewer."""
    early = table.head(int(np.searchsorted(table.start // 1440, table.start[0] // 1440 + COLD_DAYS)))
    days = early.start // 1440

    def of(names: tuple[str, ...]) -> Scores:
        params = dataclasses.replace(BUILT_IN, additions=names)
        return _scores(GaussianFilter(params).fit(early), early, 0)

    whole = of(NAMES)
    return {
        "days": COLD_DAYS, "matches": len(early),
        "means": {measure: float(getattr(whole, measure).mean()) for measure in MEASURES},
        "from_plain": _paired(whole, of(()), days, days >= 0),
        "left_out": {name: _paired(whole, of(_without(name)), days, days >= 0) for name in NAMES},
    }  # fmt: skip


def _scores(model: GaussianFilter, table: MatchTable, begin: int) -> Scores:
    made = model.walk(table, WINDOW.lead).slice(begin, len(table))
    return score(made, *table.observed[:, begin:])


def _paired(one: Scores, other: Scores, days: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    def apart(measure: str) -> F64:
        return np.asarray((getattr(one, measure) - getattr(other, measure))[rows])

    return {measure: dataclasses.asdict(day_block_mean(apart(measure), days[rows])) for measure in MEASURES}


def costs(folder: Path) -> dict[str, Any]:
    """What the plain structure cost before there were additions, what it costs now, and what all of them do."""
    with tempfile.TemporaryDirectory(prefix="tipoff-bench-") as name:
        archive = subprocess.run(["git", "archive", BEFORE, "tipoff"], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["tar", "-x", "-C", name], input=archive.stdout, check=True)
        _weigh("before", folder, name)  # compiles
        before = _weigh("before", folder, name)
    return {"commit_before": BEFORE, "before": before, **{one: _weigh(one, folder) for one in ("plain", "all")}}


def _weigh(name: str, folder: Path, *code: str) -> dict[str, Any]:
    """In a process of its own, on one core; `tipoff` is taken from the first of the folders that has it."""
    path = os.pathsep.join([*code, str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.weigh", name, str(folder.resolve())], check=True, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
