"""Train: fit on earlier days, measure on the days after, learn everything, store and activate."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

from tipoff.backtest.report import report
from tipoff.backtest.run import Window, run_backtest
from tipoff.domain.match import Match
from tipoff.domain.progress import Progress, quiet
from tipoff.errors import InputError
from tipoff.forecast.baselines import ladder
from tipoff.forecast.fit import never
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.model import Model, fingerprint
from tipoff.forecast.params import BUILT_IN, Params, params_from_dict
from tipoff.forecast.table import build_table
from tipoff.pipeline.history import History
from tipoff.pipeline.registry import Learned, Submitted, Terms, submit
from tipoff.storage import models
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.pool import Connection, Pool

FIT_DAYS = 30
"""days of results that hyper-parameters are fitted on, before the days they are measured on"""
MEASURE_DAYS = 31
"""at most that many last days are measured on, so that hyper-parameters are never older"""


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """A challenger and what the gate said of it."""

    model: Model
    submitted: Submitted


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: days to fit on, the least matches of a player in them, and the least accuracy to be activated.

    `enough`, whether that share of the time is used up, ends the fit early with the best found so far. `older`: learn
    from older results too. `additions` of the model, by name.
    """

    days_back: int = FIT_DAYS
    min_matches_per_player: int = 1
    performance_threshold: float = 0.0
    enough: Callable[[float], bool] = never
    older: bool = False
    additions: tuple[str, ...] = BUILT_IN.additions


def train(
    pool: Pool, store: ArtifactStore, now: dt.datetime, code_version: str, progress: Progress = quiet,
    recipe: Recipe = Recipe(), landed: Callable[[Connection, Trained], None] = lambda _connection, _trained: None,
) -> Trained:  # fmt: skip
    """Fit on results known at `now`, leaving out the last part to measure on; store, judge, activate if it passes.

    `landed` is called in the transaction that registers it.
    Raises InputError when there are not enough days, ArtifactError when the store fails.
    """
    with pool.connection() as connection:
        history = History.known_at(pool, connection, now, recipe.older)
        before = models.active(connection)
    start = params_from_dict(before[1]["params"]) if before else None
    known = history.recent()
    model = fit_and_measure(
        known, history.learned, now, start, lambda share, message: progress(share * 0.8, message), recipe
    )
    submitted = submit(
        pool, store, model, known, now, code_version,
        lambda share, message: progress(0.8 + share * 0.2, message),
        Terms(
            recipe.performance_threshold, lambda connection, done: landed(connection, Trained(model, done)),
            history.learned,
        ),
    )  # fmt: skip
    return Trained(model, submitted)


def fit_and_measure(
    known: list[Match], learned: Learned, now: dt.datetime, start: Params | None, progress: Progress = quiet,
    recipe: Recipe = Recipe(),
) -> Model:  # fmt: skip
    """A model from `known` final matches; its figures are walk-forward on days its fit has not seen.

    Its state is what `learned` says its parameters learn from all there is.
    """
    days = sorted({match.start.date() for match in known})
    if len(days) < 4:
        raise InputError(f"{len(days)} days of results are too few to train on: fetch at least 4")
    fit_until = days[max((len(days) - 1) // 2, len(days) - 1 - MEASURE_DAYS)]
    window = Window(fit_until, fit_until + dt.timedelta(days=1), days[-1])
    first = max(fit_until - dt.timedelta(days=recipe.days_back), days[0] - dt.timedelta(days=1))
    recent = [match for match in known if match.start.date() > first]
    base = dataclasses.replace(BUILT_IN, additions=recipe.additions)
    model = GaussianFilter(None, start, recipe.min_matches_per_player, recipe.enough, base)
    backtest = run_backtest(recent, window, [model, *ladder()], progress)
    measured = report(backtest)
    fitted_on = build_table([m for m in recent if m.start.date() <= fit_until])
    fit: dict[str, Any] = {
        "fitted_from": first.isoformat(),
        "fitted_until": fit_until.isoformat(),
        "min_matches_per_player": recipe.min_matches_per_player,
        "searches": [
            {"evaluations": f.evaluations, "converged": f.converged, "message": f.message} for f in model.fits_
        ],
    }
    return Model(model.params_, now.isoformat(), fit, fingerprint(fitted_on), measured, learned(model.params_))
