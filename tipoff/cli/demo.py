"""`tipoff demo`: from nothing to forecasts and an honest measurement of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from pathlib import Path
from typing import Any

import typer

from tipoff.backtest.report import as_json
from tipoff.cli.context import artifacts, database, read_settings
from tipoff.cli.live import gate_words, summary
from tipoff.cli.output import forecast_table, local, measures_table, out, print_json, progress
from tipoff.cli.record import record_table, verification_words
from tipoff.clock import Clock, FixedClock, SystemClock
from tipoff.errors import InputError, LedgerError
from tipoff.league.book import MatchBook
from tipoff.league.recorded import RecordedBook
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.ledger.chain import Verification
from tipoff.ledger.export import publish_head
from tipoff.ledger.record import Record
from tipoff.pipeline.code import code_version
from tipoff.pipeline.fetch import days_until, fetch
from tipoff.pipeline.predict import predict
from tipoff.pipeline.replay import replay_ledger
from tipoff.pipeline.train import train
from tipoff.pipeline.watch import record, refresh_performance, verify_database
from tipoff.settings import Settings
from tipoff.storage import models
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.pool import Pool
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners

BEFORE_END = dt.timedelta(hours=1)
"""with recorded days the clock stands that long before the last result, so that there are next matches"""
SEALED = dt.timedelta(days=3)
"""the last days that are replayed into the demo's ledger"""


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
    with (
        database(settings) as pool,
        artifacts(settings) as store,
        league_server(LeagueApp(book, clock)) as url,
    ):
        source = H2H2026Source(url, clock, Manners(spacing=0), label=label)
        try:
            answer = _steps(Demo(pool, store, source, clock, settings, banner, json), days)
        finally:
            source.close()
    answer["seconds"] = round(time.monotonic() - started, 1)
    if json:
        print_json(answer)
    else:
        out.print(
            f"{banner}. Done in {answer['seconds']} s; a second run reuses database and model.", highlight=False
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Demo:
    """What every step of the demo works with."""

    pool: Pool
    store: ArtifactStore
    source: H2H2026Source
    clock: Clock
    settings: Settings
    banner: str
    json: bool


def _steps(demo: Demo, days: int) -> dict[str, object]:
    pool, now = demo.pool, demo.clock.now()
    if not demo.json:
        out.print(f"{demo.banner}.", highlight=False)
    with progress("fetch") as report:
        fetched = fetch(pool, demo.source, days_until(now, days), now, report)
    words, model = _model(demo)
    live, predicted = predict(pool, now)
    record, verified = _record(demo, model, now)
    if not demo.json:
        out.print(summary(fetched), highlight=False)
        if words:
            out.print(words, highlight=False)
        kind = demo.banner.split(maxsplit=1)[0]
        forecast_table(predicted, f"{kind} next matches as of {local(now)}, from {live.state.matches} results")
        measures_table(model[1]["measured"])
        record_table(record)
        out.print(verification_words(verified), highlight=False)
    return {
        "banner": demo.banner,
        "model": model[0],
        "results": live.state.matches,
        "predictions": [p.as_json() for p in predicted],
        "measured": model[1]["measured"],
        "record": as_json(record),
        "ledger": as_json(verified),
    }


def _model(demo: Demo) -> tuple[str, tuple[str, dict[str, Any]]]:
    """What the gate said if it was asked, and the champion; a new challenger is trained once a day."""
    now = demo.clock.now()
    with demo.pool.connection() as connection:
        there, known = models.active(connection), models.listed(connection)
    if there is not None and now - known[0].created_at < dt.timedelta(days=1):
        return "", there
    with progress("train") as report:
        done = train(demo.pool, demo.store, now, code_version(), report).submitted
    with demo.pool.connection() as connection:
        there = models.active(connection)
    if there is None:
        raise InputError(f"the first model was refused, so nothing forecasts: {done.verdict.reason}")
    return gate_words(done), there


def _record(demo: Demo, model: tuple[str, dict[str, Any]], now: dt.datetime) -> tuple[Record, Verification]:
    """The last days sealed match by match as time would have passed, graded, and verified."""
    horizons = demo.settings.horizons
    with progress("seal") as report:
        replay_ledger(
            demo.pool, model, horizons, now - SEALED, now, f"replay: {demo.source.name}", code_version(), report
        )
    refresh_performance(demo.pool, horizons, now)
    made = record(demo.pool, horizons, now)
    verified, wrong, _ = verify_database(demo.pool)
    if verified.broken is not None or verified.head is None or wrong or made is None:
        raise LedgerError(f"the demo's own ledger does not verify: {verified.broken}, {wrong}")
    publish_head(verified.head, demo.settings.heads)
    return made, verified
