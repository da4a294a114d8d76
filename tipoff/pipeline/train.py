"""Train: fit on earlier days, measure on the days after, learn everything, store and activate."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

from tipoff.backtest.report import report
from tipoff.backtest.run import Window, run_backtest
from tipoff.domain.match import Match
from tipoff.errors import InputError
from tipoff.forecast.baselines import ladder
from tipoff.forecast.fit import Progress, quiet
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.model import Model, fingerprint, load_model
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.state import state_after
from tipoff.forecast.table import build_table
from tipoff.storage import matches, models
from tipoff.storage.pool import Pool

FIT_DAYS = 30
"""days of results that hyper-parameters are fitted on, before the days they are measured on"""


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """A stored model."""

    sha256: str
    model: Model


def train(pool: Pool, folder: Path, now: dt.datetime, progress: Progress = quiet) -> Trained:
    """Fit on results known at `now`, leaving out the last part to measure on; store and activate.

    Raises InputError when there are not enough days.
    """
    with pool.connection() as connection:
        known = [m for m in matches.results(connection) if m.knowable_at <= now]
        before = models.active(connection)
    start = params_from_dict(before[1]["params"]) if before else None
    model = fit_and_measure(known, now, start, progress)
    sha256 = model.save(folder)
    document, _ = model.document()
    with pool.connection() as connection, connection.transaction():
        models.register(connection, sha256, document, now)
        models.activate(connection, sha256)
    return Trained(sha256, model)


def fit_and_measure(known: list[Match], now: dt.datetime, start: Params | None, progress: Progress = quiet) -> Model:
    """A model from `known` final matches; its figures are walk-forward on days its fit has not seen."""
    days = sorted({match.start.date() for match in known})
    if len(days) < 4:
        raise InputError(f"{len(days)} days of results are too few to train on: fetch at least 4")
    fit_until = days[(len(days) - 1) // 2]
    window = Window(fit_until, fit_until + dt.timedelta(days=1), days[-1])
    first = fit_until - dt.timedelta(days=FIT_DAYS)
    recent = [match for match in known if match.start.date() > first]
    model = GaussianFilter(start=start)
    backtest = run_backtest(recent, window, [model, *ladder()], progress)
    measured = report(backtest)
    fitted_on = build_table([m for m in recent if m.start.date() <= fit_until])
    fit: dict[str, Any] = {
        "fitted_from": first.isoformat(),
        "fitted_until": fit_until.isoformat(),
        "searches": [{"evaluations": f.evaluations, "converged": f.converged} for f in model.fits_],
    }
    return Model(
        model.params_, now.isoformat(), fit, fingerprint(fitted_on), measured, state_after(model.params_, known)
    )


def active_model(pool: Pool, folder: Path) -> Trained | None:
    """The model that forecasts, read back from its files; raises ModelFileError when they were damaged."""
    with pool.connection() as connection:
        active = models.active(connection)
    return None if active is None else Trained(active[0], load_model(folder, active[0]))
