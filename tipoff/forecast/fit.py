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
from tipoff.forecast.columns import CLIP
from tipoff.forecast.kernels import walk
from tipoff.forecast.params import BUILT_IN, FilterParams, Params, with_filter
from tipoff.forecast.state import empty_arrays, room_for
from tipoff.forecast.table import MatchTable
from tipoff.forecast.walking import NO_LEVEL, learn_table

FITTED = (
    "v0", "q", "v_session", "v_team", "q_team", "q_base", "r", "v_link", "v_player_team", "v_pair",
    "v_player_team_session", "v_stream", "v_late", "v_meeting", "v_scale", "q_session",
)  # fmt: skip
PRIOR_SD = 0.25
"""standard deviation of each log-parameter around its built-in value"""
REACH = 4.0
"""the search stays within that many nats of the built-in value"""
STEP = 1e-3
MIN_MATCHES = 200


def never(_share: float = 1.0) -> bool:
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
        self, table: MatchTable, which: int, base: Params, enough: Callable[[], bool], level: NDArray[np.float64]
    ) -> None:
        self.table, self.which, self.base, self.enough, self.level = table, which, base, enough, level
        self.best: tuple[float, NDArray[np.float64]] | None = None
        self._empty = arrays.empty(room_for(table, base.session_gap))
        self._state = arrays.copied(self._empty)
        self._y = table.observed
        prior = (base.margin, base.total)[which]
        idle = base.idle()[which]
        self.names = [name for name in FITTED if getattr(prior, name) > 0 and name not in idle]
        self.centre = np.log([getattr(prior, name) for name in self.names])
        self.evaluations = 0

    def filter_params(self, logs: NDArray[np.float64]) -> FilterParams:
        values = dict(zip(self.names, np.exp(logs).tolist(), strict=True))
        return dataclasses.replace((self.base.margin, self.base.total)[self.which], **values)

    def begun_at(self, start: FilterParams) -> NDArray[np.float64]:
        """Log-parameters of an earlier fit; what it did not have is at the centre."""
        had = np.array([getattr(start, name) for name in self.names])
        return np.where(had > 0, np.log(np.where(had > 0, had, 1.0)), self.centre)

    def __call__(self, logs: NDArray[np.float64]) -> float:
        if self.best is not None and self.enough():
            raise _EnoughError
        self.evaluations += 1
        P = with_filter(self.base, self.which, self.filter_params(logs)).as_array()
        for source, target in zip(self._empty, self._state, strict=True):
            target[...] = source
        walk.start(self._state, P)
        made = learn_table(self._state, P, self.table, self.base.session_gap, self.which, self.level)
        likelihood = _log_likelihood(made[:, self.which], self._y[self.which], P[self.which, CLIP])
        penalty = 0.5 * float(np.sum(((logs - self.centre) / PRIOR_SD) ** 2))
        value = penalty - float(likelihood)
        if self.best is None or value < self.best[0]:
            self.best = value, logs.copy()
        return value


def fit_filter(
    table: MatchTable, which: int, base: Params, start: FilterParams | None = None, progress: Progress = quiet,
    enough: Callable[[], bool] = never,
) -> FitResult:  # fmt: skip
    """Fit filter `which` (0 margin, 1 total) of `base` to all of `table`, from `start` (default: as in `base`).

    `base` is the centre of the prior, says which additions there are and holds the other filter, which stays. Once
    `enough` says so the search ends with the best values found so far, not `converged`.
    """
    level = forecast_totals(table, base) if which == 0 else NO_LEVEL
    posterior = _Posterior(table, which, base, enough, level)
    first = posterior.centre if start is None else posterior.begun_at(start)
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


def _log_likelihood(made: NDArray[np.float64], y: NDArray[np.float64], clip: float) -> float:
    """Gaussian log likelihood in nats of y (n,) under means and variances (n, 2), errors clipped as in the filter."""
    mean, var = made.T
    error = np.clip(y - mean, -clip * np.sqrt(var), clip * np.sqrt(var))
    return -0.5 * float(np.sum(np.log(2 * np.pi * var) + error**2 / var))


def forecast_totals(table: MatchTable, params: Params) -> NDArray[np.float64]:
    """The totals that the total's filter forecasts one step ahead, in points, shape (n,)."""
    made = learn_table(empty_arrays(table, params), params.as_array(), table, params.session_gap, only=1)
    return made[:, 1, 0].copy()


def fit_params(
    table: MatchTable, start: Params | None = None, progress: Progress = quiet,
    enough: Callable[[float], bool] = never, base: Params = BUILT_IN,
) -> tuple[Params, list[FitResult]]:  # fmt: skip
    """Fit both filters to `table`; `start` warm-starts from an earlier fit, `base` is as for `fit_filter`.

    `enough` says whether that share of the time is used up: the first search ends at half of it, the other at all.
    The total's filter comes first: the margin's noise follows the total that it forecasts. Results are in the order
    margin, total. Raises InputError when there are too few matches to learn from.
    """
    if len(table) < MIN_MATCHES:
        raise InputError(
            f"{len(table)} final matches are too few to fit hyper-parameters; at least {MIN_MATCHES} are "
            "needed: fetch more days or choose a later --fit-until"
        )
    mean = float(np.mean(table.observed[1]))
    base = dataclasses.replace(base, total=dataclasses.replace(base.total, m_base=mean))
    first, then = (start.total, start.margin) if start else (None, None)
    total = fit_filter(table, 1, base, first, lambda s, m: progress(s / 2, m), lambda: enough(0.5))
    base = dataclasses.replace(base, total=total.params)
    margin = fit_filter(table, 0, base, then, lambda s, m: progress(0.5 + s / 2, m), lambda: enough(1.0))
    return dataclasses.replace(base, margin=margin.params), [margin, total]
