"""The track record: what the sealed forecasts scored, nothing left out.

Made from the ledger's rows and the results believed now. Of several grades of one sealed forecast the newest
counts; of several seals of one match at one horizon (it was moved) the newest that came before the start.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.match import Match
from tipoff.domain.quote import Quote
from tipoff.forecast.baselines import Constant, EloMargin
from tipoff.forecast.baselines.constant import known_before, played_before
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.forecaster import F64, Forecaster, Forecasts
from tipoff.forecast.groups import Group, groups
from tipoff.forecast.interval import wilson
from tipoff.forecast.metrics import calibration_bins, ece, score
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.position import positions
from tipoff.forecast.prices import PriceComparison, compare
from tipoff.forecast.table import MatchTable, build_table, in_order, minutes
from tipoff.ledger.grade import NUMBERS, SCORED, score_sealed
from tipoff.storage.ledger import LedgerRow

CONFIDENCE = (0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 1.0)
PERIODS = ("day", "week", "month")
STATUSES = ("graded", "void", "late", "open")
MIN_BASELINE = 500
"""results before the first sealed forecast that a baseline must have to be fitted on"""


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed forecast with its newest grade; `history` holds all of them (a correction adds one)."""

    seq: int
    external_id: str
    horizon: int
    start: dt.datetime
    sealed_at: dt.datetime
    model: str
    numbers: tuple[float, ...]
    """in the order of NUMBERS"""
    status: str | None
    score_a: int | None
    score_b: int | None
    history: tuple[dict[str, Any], ...]
    """status, result and scores of each grade, oldest first"""


@dataclasses.dataclass(frozen=True, slots=True)
class Ledger:
    """What a chain's rows say, read once."""

    clock: str
    label: str
    opened_at: dt.datetime
    sealed: list[Sealed]


def read_ledger(rows: Iterable[LedgerRow]) -> Ledger | None:
    """The sealed forecasts and their newest grades; None where nothing was ever opened."""
    contents = (json.loads(row.content) for row in rows)
    opened = next(contents, None)
    if opened is None:
        return None
    return Ledger(opened["body"]["clock"], opened["body"]["label"], _moment(opened["at"]), sealed_in(contents))


def sealed_in(contents: Iterable[dict[str, Any]]) -> list[Sealed]:
    """The sealed forecasts among contents of rows, each with the grades that follow it."""
    seals: dict[int, dict[str, Any]] = {}
    grades: dict[int, list[dict[str, Any]]] = {}
    for content in contents:
        if content["kind"] == "seal":
            seals[content["seq"]] = content
        elif content["kind"] == "grade":
            grades.setdefault(int(content["body"]["seal"]), []).append(content["body"])
    return [_sealed(seq, content, grades.get(seq, [])) for seq, content in seals.items()]


def _sealed(seq: int, content: dict[str, Any], grades: list[dict[str, Any]]) -> Sealed:
    body = content["body"]
    newest = grades[-1] if grades else None
    start = newest["result"]["start"] if newest else body["start"]
    return Sealed(
        seq, body["external_id"], body["horizon"], _moment(start), _moment(content["at"]), body["model"],
        tuple(float(body["forecast"][name]) for name in NUMBERS), newest["status"] if newest else None,
        newest["result"]["score_a"] if newest else None, newest["result"]["score_b"] if newest else None,
        tuple({name: grade[name] for name in ("status", "result", "scores")} for grade in grades),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """What a group of graded forecasts scored; means with 95 % intervals over days."""

    n: int
    measures: dict[str, Estimate]
    ece: float | None
    stated: float | None
    """mean probability of the likelier side: what the hits are to be compared with"""


@dataclasses.dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts between two probabilities: how many, what they said, what came, with its 95 % interval."""

    low: float
    high: float
    n: int
    mean_forecast: float
    share_won: float
    share_low: float
    share_high: float


@dataclasses.dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline on the same matches at the same lead; `difference` is our log loss less its (below 0: better)."""

    name: str
    log_loss: Estimate
    accuracy: Estimate
    difference: Estimate
    by_period: dict[str, Estimate]
    """its log loss, in the groups of the record's `by_period`"""


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """Of the matches played since the ledger was opened, how many had a forecast sealed at this horizon."""

    horizon: int
    played: int
    sealed: int
    missing: list[str]
    """external ids of matches played without one, by start"""

    @property
    def share(self) -> float:
        """Share of the matches played that were sealed; NaN where none was played."""
        return self.sealed / self.played if self.played else math.nan


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """The whole record; `main` is the horizon nearest to the start, to which bins and groups refer."""

    clock: str
    label: str
    opened_at: dt.datetime
    main: int
    coverage: list[Coverage]
    statuses: dict[str, int]
    """sealed forecasts by what became of them: graded, void, late, open (no result yet)"""
    corrections: list[dict[str, Any]]
    """forecasts that were graded more than once, with every grade"""
    by_horizon: dict[str, Figures]
    by_period: dict[str, Figures]
    by_model: dict[str, Figures]
    by_confidence: dict[str, Figures]
    bins: list[Bin]
    baselines: list[Baseline]
    prices: list[PriceComparison]
    """against posted prices, where any are known"""
    groups: dict[str, list[Group]]
    """for whom the intervals are right: by experience, level and position in the session, as results told it then"""


def make_record(
    ledger: Ledger, horizons: Sequence[int], results: Sequence[Match], period: str = "day",
    quotes: Sequence[Quote] = (),
) -> Record:  # fmt: skip
    """The record of a ledger against all final `results`; groups by "day", "week" or "month" of the start (UTC)."""
    return make_records(ledger, horizons, results, (period,), quotes)[period]


def make_records(
    ledger: Ledger, horizons: Sequence[int], results: Sequence[Match], periods: Sequence[str],
    quotes: Sequence[Quote] = (),
) -> dict[str, Record]:  # fmt: skip
    """As `make_record`, grouped by each of `periods`."""
    horizons = sorted({*horizons, *(s.horizon for s in ledger.sealed)}, reverse=True)
    main, table = horizons[-1], build_table(results)
    counted = _counted(ledger.sealed)
    graded = [s for s in counted if s.status == "graded"]
    near = [s for s in graded if s.horizon == main]
    statuses = {
        name: sum((s.status or "open") == name for s in counted) for name in ("graded", "void", "late", "open")
    }
    record = Record(
        ledger.clock, ledger.label, ledger.opened_at, main,
        [_coverage(h, ledger, counted, results) for h in horizons], statuses,
        [{"external_id": s.external_id, "horizon": s.horizon, "grades": list(s.history)}
         for s in counted if len(s.history) > 1],
        {str(h): figures([s for s in graded if s.horizon == h]) for h in horizons}, {},
        _grouped(near, lambda s: s.model[:12]),
        _grouped(near, lambda s: _confidence(s.numbers[0])),
         bins(near), [], _prices(graded, results, quotes), _groups(near, table, main),
    )  # fmt: skip
    walked = _walked(near, results, table, main)
    return {
        period: dataclasses.replace(
            record, by_period=_grouped(near, functools.partial(_period, period)),
            baselines=[dataclasses.replace(b, by_period=_by_period(period, losses)) for b, losses in walked],
        )
        for period in periods
    }  # fmt: skip


def _counted(sealed: Sequence[Sealed]) -> list[Sealed]:
    """One per match and horizon: the newest not sealed late, or the newest where all were."""
    chosen: dict[tuple[str, int], Sealed] = {}
    for s in sealed:
        key = (s.external_id, s.horizon)
        if key not in chosen or s.status != "late" or chosen[key].status == "late":
            chosen[key] = s
    return list(chosen.values())


def figures(graded: Sequence[Sealed]) -> Figures:
    """Scores of graded forecasts, recomputed from what was sealed and what came."""
    if not graded:
        return Figures(0, {}, None, None)
    numbers, margin, total, days = _arrays(graded)
    scores = score_sealed(numbers, margin, total)
    won = margin > 0
    return Figures(
        len(graded), {name: day_block_mean(scores[name], days) for name in SCORED},
        ece(calibration_bins(numbers[0], won)), float(np.maximum(numbers[0], 1 - numbers[0]).mean()),
    )  # fmt: skip


def bins(graded: Sequence[Sealed]) -> list[Bin]:
    """Ten bins of P(A), those that are not empty, with Wilson's interval (JASA 1927) for the share that came."""
    if not graded:
        return []
    numbers, margin, _, _ = _arrays(graded)
    found = []
    for b in calibration_bins(numbers[0], margin > 0):
        if b.mean_forecast is not None and b.share_won is not None:
            low, high = wilson(b.share_won, b.n)
            found.append(Bin(b.low, b.high, b.n, b.mean_forecast, b.share_won, low, high))
    return found


def _arrays(graded: Sequence[Sealed]) -> tuple[F64, F64, F64, NDArray[np.int64]]:
    numbers = np.array([s.numbers for s in graded]).T
    points = np.array([(s.score_a, s.score_b) for s in graded], dtype=np.float64).T
    days = np.array([minutes(s.start) // 1440 for s in graded], dtype=np.int64)
    return numbers, points[0] - points[1], points[0] + points[1], days


def _coverage(horizon: int, ledger: Ledger, counted: Sequence[Sealed], results: Sequence[Match]) -> Coverage:
    since = ledger.opened_at + dt.timedelta(minutes=horizon)
    played = [m for m in in_order(results) if m.start >= since]
    there = {s.external_id for s in counted if s.horizon == horizon and s.status != "late"}
    missing = [m.external_id for m in played if m.external_id not in there]
    return Coverage(horizon, len(played), len(played) - len(missing), missing)


def _grouped(graded: Sequence[Sealed], key: Any) -> dict[str, Figures]:
    groups: dict[str, list[Sealed]] = {}
    for s in graded:
        groups.setdefault(key(s), []).append(s)
    return {name: figures(groups[name]) for name in sorted(groups)}


def _period(period: str, sealed: Sealed) -> str:
    start = sealed.start
    if period == "month":
        return start.strftime("%Y-%m")
    if period == "week":
        year, week, _ = start.isocalendar()
        return f"{year}-W{week:02d}"
    return start.date().isoformat()


def _confidence(p: float) -> str:
    sure = max(p, 1 - p)
    for low, high in itertools.pairwise(CONFIDENCE):
        if sure < high or high == 1.0:
            return f"{low:.0%} to {high:.0%}"
    raise AssertionError("a probability lies between 0 and 1")


Losses = list[tuple[Sealed, float]]
"""log loss that a baseline had where a forecast was sealed"""


def _placed(near: Sequence[Sealed], table: MatchTable) -> tuple[list[Sealed], NDArray[np.int64]]:
    """Those whose match is in the table, and its rows."""
    place = {external_id: i for i, external_id in enumerate(table.ids)}
    both = [s for s in near if s.external_id in place]
    return both, np.array([place[s.external_id] for s in both], dtype=np.int64)


def _groups(near: Sequence[Sealed], table: MatchTable, lead: int) -> dict[str, list[Group]]:
    """By what results told at the horizon, whose times are those believed now."""
    both, rows = _placed(near, table)
    if not both:
        return {}
    numbers, margin, total, days = _arrays(both)
    played = played_before(table, known_before(table, lead))[rows]
    position = positions(table, lead, BUILT_IN.session_gap)[rows]
    p_a, margin_mean, margin_sd, total_mean, total_sd = numbers
    made = Forecasts(p_a, margin_mean, margin_sd, total_mean, total_sd, played, position)
    return groups(made, margin, total, days)


def _walked(
    near: Sequence[Sealed], results: Sequence[Match], table: MatchTable, lead: int
) -> list[tuple[Baseline, Losses]]:
    """Baselines walked forward over all results at the same lead, fitted before the first sealed match."""
    both, rows = _placed(near, table)
    first = min(s.start for s in both) if both else None
    earlier = [m for m in results if first is not None and m.start < first]
    models: list[Forecaster] = [Constant(), EloMargin()] if len(earlier) >= MIN_BASELINE else []
    if not models:
        return []
    numbers, margin, total, days = _arrays(both)
    ours = score_sealed(numbers, margin, total)
    found = []
    for model in models:
        made = model.fit(build_table(earlier)).walk(table, lead)
        theirs = score(dataclasses.replace(made, **{
            f.name: getattr(made, f.name)[rows] for f in dataclasses.fields(made)
        }), margin, total)  # fmt: skip
        baseline = Baseline(
            model.name, day_block_mean(theirs.log_loss, days), day_block_mean(theirs.hit, days),
            day_block_mean(ours["log_loss"] - theirs.log_loss, days), {},
        )  # fmt: skip
        found.append((baseline, list(zip(both, theirs.log_loss.tolist(), strict=True))))
    return found


def _by_period(period: str, losses: Losses) -> dict[str, Estimate]:
    """Mean log loss by day, week or month of the start (UTC)."""
    groups: dict[str, Losses] = {}
    for s, loss in losses:
        groups.setdefault(_period(period, s), []).append((s, loss))
    return {
        name: day_block_mean(
            np.array([loss for _, loss in members]), np.array([minutes(s.start) // 1440 for s, _ in members])
        )
        for name, members in sorted(groups.items())
    }


def _prices(graded: Sequence[Sealed], results: Sequence[Match], quotes: Sequence[Quote]) -> list[PriceComparison]:
    sealed: dict[str, list[tuple[dt.datetime, ScoreDistribution]]] = {}
    for s in graded:
        sealed.setdefault(s.external_id, []).append((s.sealed_at, ScoreDistribution(*s.numbers[1:])))
    return compare(quotes, sealed, {m.external_id: m for m in results if m.external_id in sealed})


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
