"""The gate: a challenger forecasts for the public only if it is shown not to be worse than the champion.

Both walk forward over the same last days. Not worse means: the 95 % interval of the paired difference, day by
day resampled, ends below a small tolerance (a non-inferiority test: Piaggio et al., "Reporting of
Noninferiority and Equivalence Randomized Trials", JAMA 2012). A wide interval is no proof, so few or wild
forecasts do not pass. Before that come checks of the model itself, as it would be used live.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Sequence

import numpy as np

from tipoff.domain.match import Fixture, Match
from tipoff.errors import InputError
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.forecaster import Forecasts
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.metrics import Scores, calibration_slope, score
from tipoff.forecast.model import Model, fingerprint
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.state import FilterState, state_after
from tipoff.forecast.table import MatchTable, build_table, in_order

DAYS = 14
"""the last days of results that the challenger and the champion are compared on"""
MIN_GRADED = 200
MIN_FITTED = 300
STALE = dt.timedelta(days=45)
TOLERANCE = {"log_loss": 0.002, "margin_crps": 0.03, "total_crps": 0.05}
"""how much worse is still "not worse": nats, points, points (about half a percent of each)"""
COVERAGE = (0.72, 0.88)
"""the share of results that 80 % intervals must hold"""
SLOPE = (0.6, 1.6)
PROBES = 50
MIRROR = 0.01
"""two newcomers are linked in order, A first, so exchanging sides is exact only once both are known"""


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One question asked of a challenger; `detail` says what was found."""

    name: str
    passed: bool
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Every check that was made, and the paired differences (challenger less champion) where they were."""

    checks: list[Check]
    differences: dict[str, Estimate]
    first: dt.date | None
    last: dt.date | None
    matches: int

    @property
    def passed(self) -> bool:
        """Whether the challenger may forecast."""
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """What stood against it, or how it compared."""
        failed = [f"{check.name}: {check.detail}" for check in self.checks if not check.passed]
        return "; ".join(failed or [c.detail for c in self.checks if c.name.startswith("not worse")])


def judge(
    challenger: Model, champion: Params | None, known: Sequence[Match], fresh: FilterState | None = None
) -> Verdict:
    """Judge a challenger on `known` (final matches, those it was trained from); None: against the constant.

    Where `known` is only the last part of what it has learned, `fresh` is what its parameters learn from everything.
    Never raises for a bad challenger: what is wrong with it is in the verdict.
    """
    known = in_order(known)
    usable = _parameters(challenger)
    checks = [usable]
    if not usable.passed:
        return Verdict(checks, {}, None, None, 0)
    days = sorted({m.start.date() for m in known})
    if not days:
        return Verdict([*checks, Check("data", False, "there are no results")], {}, None, None, 0)
    until = _date(challenger.fit.get("fitted_until"))
    checks += [_data(challenger, known, until), _fresh(until, days[-1]), _state(challenger, known, fresh)]
    first = max(days[-min(DAYS, len(days))], until + dt.timedelta(days=1)) if until else days[-1]
    table = build_table(known)
    begin = next((i for i, m in enumerate(known) if m.start.date() >= first), len(known))
    graded = slice(begin, len(known))
    enough = len(known) - begin >= MIN_GRADED
    said = f"{len(known) - begin} results after the fit window, at least {MIN_GRADED} are needed"
    checks.append(Check("enough to compare", enough, said))
    if not enough:
        return Verdict(checks, {}, None, None, len(known) - begin)
    made = _walk(challenger.params, table, graded)
    margin, total = table.observed[:, graded]
    finite = all(np.isfinite(getattr(made, f.name)).all() for f in dataclasses.fields(made))
    finite = finite and bool((made.margin_sd > 0).all() and (made.total_sd > 0).all())
    checks.append(Check("finite", finite, "forecasts are finite numbers" if finite else "forecasts are not numbers"))
    if not finite:
        return Verdict(checks, {}, first, days[-1], len(known) - begin)
    ours = score(made, margin, total)
    checks += [*_live_style(made, ours, margin), _mirror(challenger.params, table, graded, made)]
    theirs = score(_constant(table, graded) if champion is None else _walk(champion, table, graded), margin, total)
    differences = {
        name: day_block_mean(getattr(ours, name) - getattr(theirs, name), table.start[graded] // 1440)
        for name in TOLERANCE
    }
    rival = "the constant forecast" if champion is None else "the champion"
    checks += [_not_worse(name, difference, rival) for name, difference in differences.items()]
    return Verdict(checks, differences, first, days[-1], len(known) - begin)


def _walk(params: Params, table: MatchTable, graded: slice) -> Forecasts:
    return GaussianFilter(params).fit(table).walk(table, 2).slice(graded.start, graded.stop)


def _constant(table: MatchTable, graded: slice) -> Forecasts:
    """What somebody says who knows only the mean and spread of earlier results."""
    n = graded.stop - graded.start
    earlier = table.observed[:, : graded.start] if graded.start >= MIN_GRADED else table.observed
    sd, mean = earlier.std(axis=1), earlier.mean(axis=1)
    one = np.ones(n)
    return Forecasts(one / 2, one * 0, one * sd[0], one * mean[1], one * sd[1], np.zeros(n, dtype=np.int64), one * 0)


def _parameters(challenger: Model) -> Check:
    try:
        params_from_dict(dataclasses.asdict(challenger.params))
    except InputError as error:
        return Check("parameters", False, str(error))
    return Check("parameters", True, "all values are usable numbers")


def _data(challenger: Model, known: Sequence[Match], until: dt.date | None) -> Check:
    begin = _date(challenger.fit.get("fitted_from"))
    if until is None or begin is None:
        return Check("data", False, "it does not say which days it was fitted on")
    fitted = [m for m in known if begin < m.start.date() <= until]
    days = {m.start.date() for m in fitted}
    if len(fitted) < MIN_FITTED or len(days) < 2:
        return Check(
            "data", False, f"fitted on {len(fitted)} results of {len(days)} days; {MIN_FITTED} of 2 are needed"
        )
    if fingerprint(build_table(fitted)) != challenger.data:
        return Check("data", False, f"its fingerprint is not that of the results from {begin} to {until}")
    return Check("data", True, f"fitted on {len(fitted)} results, {begin} to {until}")


def _fresh(until: dt.date | None, last: dt.date) -> Check:
    ok = until is not None and last - until <= STALE
    return Check("fresh", ok, f"fitted until {until}, results go to {last}; {STALE.days} days apart are allowed")


def _state(challenger: Model, known: Sequence[Match], fresh: FilterState | None) -> Check:
    """The state it comes with must be what its own parameters learn from these results."""
    fresh = fresh or state_after(challenger.params, known)
    if challenger.state.matches != fresh.matches:
        return Check("state", False, f"its state has learned {challenger.state.matches} of {fresh.matches} results")
    probes: list[Fixture] = list(known[-PROBES:])
    try:
        pairs = zip(challenger.state.forecast(probes), fresh.forecast(probes), strict=True)
        gap = max(
            abs(a - b)
            for one, other in pairs
            for a, b in zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
        )
    except InputError as error:
        return Check("state", False, f"its state cannot forecast: {error}")
    return Check("state", gap <= 1e-9, f"its forecasts differ from a replay's by up to {gap:.2g} points")


def _live_style(made: Forecasts, ours: Scores, margin: np.ndarray) -> list[Check]:
    slope = calibration_slope(made.p_a, margin > 0)
    checks = [
        Check("calibrated", math.isfinite(slope) and SLOPE[0] <= slope <= SLOPE[1],
              f"calibration slope {slope:.2f}, allowed {SLOPE[0]} to {SLOPE[1]}")
    ]  # fmt: skip
    for name, inside in (("margin", ours.margin_inside), ("total", ours.total_inside)):
        share = float(inside.mean())
        checks.append(
            Check(f"coverage of the {name}", COVERAGE[0] <= share <= COVERAGE[1],
                  f"80 % intervals held {share:.1%}, allowed {COVERAGE[0]:.0%} to {COVERAGE[1]:.0%}")
        )  # fmt: skip
    return checks


def _mirror(params: Params, table: MatchTable, graded: slice, made: Forecasts) -> Check:
    """Neither side is favoured: with sides exchanged everywhere, probabilities are too."""
    order = [1, 0, 3, 2, 4, 5]
    swapped = dataclasses.replace(
        table, index=np.ascontiguousarray(table.index[:, order]), score_a=table.score_b, score_b=table.score_a
    )
    if params.margin.m_base != 0:
        return Check("sides", False, f"side A begins {params.margin.m_base:+.1f} points ahead")
    gap = float(np.mean(np.abs(made.p_a + _walk(params, swapped, graded).p_a - 1)))
    return Check("sides", gap <= MIRROR, f"exchanging sides changes probabilities by {gap:.2g} on average")


def _not_worse(name: str, difference: Estimate, rival: str) -> Check:
    allowed = TOLERANCE[name]
    words = name.replace("_", " ")
    return Check(
        f"not worse in {words}", bool(difference.high <= allowed),
        f"{words} {difference.mean:+.4f} against {rival} (95 % interval {difference.low:+.4f} to "
        f"{difference.high:+.4f}; up to {allowed:+g} is allowed)",
    )  # fmt: skip


def _date(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError:
        return None
