"""Maximum a posteriori hyper-parameters: one-step-ahead likelihood plus log-normal priors.

The prior of each value is log-normal around the built-in value (MacKay, "Information Theory, Inference,
and Learning Algorithms", ch. 28, on MAP in log-parameters); the search is L-BFGS-B on log-parameters with
forward differences, which needs about a third of the evaluations of Nelder-Mead here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from tipoff.domain.progress import Progress, quiet
from tipoff.errors import InputError
from tipoff.forecast import arrays
from tipoff.forecast.kernels import walk
from tipoff.forecast.params import BUILT_IN, FilterParams, Params
from tipoff.forecast.table import MatchTable

FITTED = (
    "v0", "q", "v_session", "v_team", "q_team", "q_base", "r", "v_link", "v_player_team", "v_pair",
    "v_player_team_session", "v_stream",
)  # fmt: skip
PRIOR_SD = 0.25
"""standard deviation of each log-parameter around its built-in value"""
REACH = 4.0
"""the search stays within that many nats of the built-in value"""
STEP = 1e-3
MIN_MATCHES = 200


def never() -> bool:
    """Not to be ended early."""
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class FitResult:
    """What one filter's fit found: `objective` is the negative log posterior in nats."""

    params: FilterParams
    objective: float
    evaluations: int
    converged: bool
    message: str


class _EnoughError(Exception):
    """The time is used up."""


class _Posterior:
    """Negative log posterior of one filter's log-parameters over a table of matches; remembers the best."""

    def __init__(
        self, table: MatchTable, which: int, base: Params, prior: FilterParams, enough: Callable[[], bool]
    ) -> None:
        self.table, self.which, self.base, self.prior, self.enough = table, which, base, prior, enough
        self.best: tuple[float, NDArray[np.float64]] | None = None
        roster = table.roster
        self._empty = arrays.empty(
            len(roster.players),
            max(len(roster.teams), 1),
            max(len(roster.pairs), 1),
            max(len(roster.streams), 1),
        )
        self._state = arrays.copied(self._empty)
        self._y = table.observed
        self.names = [name for name in FITTED if getattr(prior, name) > 0]
        self.centre = np.log([getattr(prior, name) for name in self.names])
        self.evaluations = 0

    def filter_params(self, logs: NDArray[np.float64]) -> FilterParams:
        values = dict(zip(self.names, np.exp(logs).tolist(), strict=True))
        return dataclasses.replace(self.prior, **values)

    def __call__(self, logs: NDArray[np.float64]) -> float:
        if self.best is not None and self.enough():
            raise _EnoughError
        self.evaluations += 1
        P = self.base.as_array()
        P[self.which] = self.filter_params(logs).as_array()
        for source, target in zip(self._empty, self._state, strict=True):
            target[...] = source
        walk.start(self._state, P)
        t = self.table
        likelihood = walk.log_likelihood(self._state, P, t.index, t.start, self._y, self.base.session_gap, self.which)
        penalty = 0.5 * float(np.sum(((logs - self.centre) / PRIOR_SD) ** 2))
        value = penalty - float(likelihood)
        if self.best is None or value < self.best[0]:
            self.best = value, logs.copy()
        return value


def fit_filter(
    table: MatchTable, which: int, prior: FilterParams, start: FilterParams | None = None,
    progress: Progress = quiet, enough: Callable[[], bool] = never,
) -> FitResult:  # fmt: skip
    """Fit filter `which` (0 margin, 1 total) to all of `table`, from `start` (default: `prior`).

    Once `enough` says so the search ends with the best values found so far, not `converged`.
    """
    posterior = _Posterior(table, which, BUILT_IN, prior, enough)
    first = posterior.centre if start is None else np.log([getattr(start, name) for name in posterior.names])
    label = ("margin", "total")[which]
    steps = [0]

    def report(_: object) -> None:
        steps[0] += 1
        progress(1 - 0.93 ** steps[0], f"fitting the {label}: step {steps[0]}")

    begin = np.clip(first, posterior.centre - REACH, posterior.centre + REACH)
    try:
        found = minimize(
            posterior, begin, method="L-BFGS-B",
            bounds=[(c - REACH, c + REACH) for c in posterior.centre], callback=report,
            options={"eps": STEP, "maxiter": 60, "ftol": 2e-6, "gtol": 0.05},
        )  # fmt: skip
    except _EnoughError:
        assert posterior.best is not None  # noqa: S101
        best, logs = posterior.best
        return FitResult(posterior.filter_params(logs), best, posterior.evaluations, False, "out of time")
    progress(1.0, f"fitted the {label}")
    return FitResult(
        posterior.filter_params(found.x), float(found.fun), posterior.evaluations, bool(found.success),
        str(found.message),
    )  # fmt: skip


def fit_params(
    table: MatchTable, start: Params | None = None, progress: Progress = quiet, enough: Callable[[], bool] = never
) -> tuple[Params, list[FitResult]]:
    """Fit both filters to `table`; `start` warm-starts from an earlier fit, `enough` ends the searches early.

    Raises InputError when there are too few matches to learn from.
    """
    if len(table) < MIN_MATCHES:
        raise InputError(
            f"{len(table)} final matches are too few to fit hyper-parameters; at least {MIN_MATCHES} are "
            "needed: fetch more days or choose a later --fit-until"
        )
    prior = dataclasses.replace(BUILT_IN.total, m_base=float(np.mean(table.observed[1])))
    margin = fit_filter(table, 0, BUILT_IN.margin, start.margin if start else None,
                        lambda s, m: progress(s / 2, m), enough)  # fmt: skip
    total = fit_filter(table, 1, prior, start.total if start else None,
                       lambda s, m: progress(0.5 + s / 2, m), enough)  # fmt: skip
    return Params(margin.params, total.params, BUILT_IN.session_gap), [margin, total]
