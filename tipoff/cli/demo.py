"""`tipoff demo`: from nothing to forecasts and an honest measurement of them."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import typer

from tipoff.cli.context import database, read_settings
from tipoff.cli.live import summary
from tipoff.cli.output import forecast_table, local, measures_table, out, print_json, progress
from tipoff.clock import Clock, FixedClock, SystemClock
from tipoff.league.book import MatchBook
from tipoff.league.recorded import RecordedBook
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.pipeline.fetch import days_until, fetch
from tipoff.pipeline.predict import predict
from tipoff.pipeline.train import Trained, active_model, train
from tipoff.settings import Settings
from tipoff.storage.pool import Pool
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners

BEFORE_END = dt.timedelta(hours=1)
"""with recorded days the clock stands that long before the last result, so that there are next matches"""


def demo(
    recorded: Path | None = typer.Option(None, help="Use this folder of recorded days instead of simulating."),
    days: int = typer.Option(60, min=6, max=61, help="Days of history to fetch."),
    seed: int = typer.Option(7, min=0, help="Seed of the simulated league."),
    json: bool = typer.Option(False, "--json", help="One JSON value on stdout and nothing else."),
) -> None:
    """League server, private database, fetch, train, predict: forecasts, and how good such forecasts were."""
    started = time.monotonic()
    settings = read_settings()
    book: MatchBook
    if recorded is not None:
        book = RecordedBook(recorded)
        clock: Clock = FixedClock(book.end - BEFORE_END)
        label, banner = f"recorded-{recorded.resolve().name}", f"RECORDED matches from {recorded}"
    else:
        book, clock = League(LeagueSettings(seed=seed)), SystemClock()
        label, banner = f"league-{seed}", f"SIMULATED league (seed {seed}): players, teams and results are invented"
    settings.home = settings.home / f"demo-{label}"
    settings.database_url = None
    with database(settings) as pool, league_server(LeagueApp(book, clock)) as url:
        source = H2H2026Source(url, clock, Manners(spacing=0), label=label)
        try:
            answer = _steps(pool, source, clock, settings, days, banner, json)
        finally:
            source.close()
    answer["seconds"] = round(time.monotonic() - started, 1)
    if json:
        print_json(answer)
    else:
        out.print(
            f"{banner}. Done in {answer['seconds']} s; a second run reuses database and model.", highlight=False
        )


def _steps(
    pool: Pool, source: H2H2026Source, clock: Clock, settings: Settings, days: int, banner: str, json: bool
) -> dict[str, object]:
    if not json:
        out.print(f"{banner}.", highlight=False)
    with progress("fetch") as report:
        fetched = fetch(pool, source, days_until(clock.now(), days), clock.now(), report)
    trained = _model(pool, settings, clock)
    live, predicted = predict(pool, clock.now())
    if not json:
        out.print(summary(fetched), highlight=False)
        kind = banner.split(maxsplit=1)[0]
        title = f"{kind} next matches as of {local(clock.now())}, from {live.state.matches} results"
        forecast_table(predicted, title)
        measures_table(trained.model.measured)
    return {
        "banner": banner,
        "model": trained.sha256,
        "results": live.state.matches,
        "predictions": [p.as_json() for p in predicted],
        "measured": trained.model.measured,
    }


def _model(pool: Pool, settings: Settings, clock: Clock) -> Trained:
    """The model of an earlier run while it is younger than a day, or a new one."""
    there = active_model(pool, settings.models)
    if there is not None:
        age = clock.now() - dt.datetime.fromisoformat(there.model.trained_at)
        if age < dt.timedelta(days=1):
            return there
    with progress("train") as report:
        return train(pool, settings.models, clock.now(), report)
