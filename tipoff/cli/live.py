"""`tipoff fetch | train | predict`: the live path, a step at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import typer

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, parse_time, read_settings
from tipoff.cli.output import err, forecast_table, local, measures_table, out, print_json, progress
from tipoff.clock import SystemClock
from tipoff.errors import InputError, UpstreamError
from tipoff.forecast.additions import named
from tipoff.pipeline import predict as predicting
from tipoff.pipeline import train as training
from tipoff.pipeline.code import code_version
from tipoff.pipeline.fetch import FetchReport, days_until
from tipoff.pipeline.fetch import fetch as fetch_days
from tipoff.pipeline.seal import SealReport, seal_due
from tipoff.pipeline.statistics import refresh_statistics
from tipoff.pipeline.wiring import artifacts, source_and_clock
from tipoff.storage import models
from tipoff.upstream.recorded import RecordedSource

Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")
At = typer.Option(None, "--at", help="Pretend it is this time (ISO with offset).")


def summary(report: FetchReport) -> str:
    """One sentence on a fetch."""
    i = report.ingest
    words = [
        f"asked for {report.asked} days", f"{report.settled} already settled", f"{i.new} new results",
        f"{i.changed} changed", f"{i.fixtures} fixtures seen", f"{i.withdrawn} withdrawn",
        f"{sum(i.quarantined.values())} rows in quarantine",
    ]  # fmt: skip
    if i.quarantined:
        words[-1] += " (" + ", ".join(f"{reason} {n}" for reason, n in i.quarantined.most_common()) + ")"
    return ", ".join(words)


def fetch(
    days: int = typer.Option(61, min=0, max=1500, help="How many days back."),
    source_name: str | None = typer.Option(None, "--source", help="Instead of TIPOFF_SOURCE."),
    at: str | None = At,
    json: bool = Json,
) -> None:
    """Fetch results and fixtures from the source and read them; raw answers are kept."""
    settings = read_settings()
    settings.source = source_name or settings.source
    with database(settings) as pool, source_and_clock(settings, parse_time(at)) as (source, clock):
        wanted = source.days if isinstance(source, RecordedSource) else days_until(clock.now(), days)
        with progress("fetch") as report:
            done = fetch_days(pool, source, wanted, clock.now(), report)
    if json:
        print_json(dataclasses.asdict(done))
    else:
        out.print(summary(done), highlight=False)
    if done.failed:
        named = "; ".join(f"{day}: {why}" for day, why in done.failed.items())
        raise UpstreamError(f"{len(done.failed)} days could not be fetched ({named}); run tipoff fetch again")


def train(
    additions: str | None = typer.Option(None, help="Instead of TIPOFF_ADDITIONS: all, none, or names with commas."),
    at: str | None = At,
    json: bool = Json,
) -> None:
    """Fit on earlier days, measure on the days after; store the model, and let it forecast if the gate allows."""
    settings = read_settings()
    recipe = training.Recipe(
        older=settings.learn_older, additions=named(settings.additions if additions is None else additions)
    )
    with (
        database(settings) as pool,
        artifacts(settings) as store,
        source_and_clock(settings, parse_time(at)) as (_, clock),
        progress("train") as report,
    ):
        trained = training.train(pool, store, clock.now(), code_version(), report, recipe)
        with pool.connection() as connection:
            champion = models.active(connection)
    done = trained.submitted
    said = {
        "model": done.sha256, "version": done.version, "activated": done.activated,
        "reason": done.verdict.reason, "gate": as_json(done.verdict), "fit": trained.model.fit,
        "measured": trained.model.measured,
    }  # fmt: skip
    if json:
        print_json(said)
    else:
        out.print(training_words(said), highlight=False)
        measures_table(trained.model.measured)
    if champion is None:
        raise InputError(f"nothing forecasts, because the first model was refused: {done.verdict.reason}")


def training_words(done: dict[str, Any]) -> str:
    """One sentence on what the gate said, from what `train --json` prints."""
    name = f"model {done['version']} ({done['model'][:12]})"
    if done["activated"]:
        return f"{name} passed the gate and forecasts now: {done['reason']}"
    return f"{name} was refused and does not forecast: {done['reason']}"


def predict(at: str | None = At, json: bool = Json) -> None:
    """Forecast every known fixture that has not started, and seal those that are due."""
    settings = read_settings()
    with database(settings) as pool, source_and_clock(settings, parse_time(at)) as (_, clock):
        refresh_statistics(pool, clock.now(), settings.learn_older)
        live, predicted = predicting.predict(pool, clock.now(), settings.learn_older)
        now = clock.now()
        real = isinstance(clock, SystemClock)
        sealed = seal_due(pool, live, settings.horizons, code_version()) if real else None
    if json:
        print_json([p.as_json() for p in predicted])
    else:
        forecast_table(
            [p.as_json() for p in predicted],
            f"Next matches as of {local(now)}, from {live.state.matches} results",
            limit=40,
        )
        if not predicted:
            out.print("No fixtures are known: run tipoff fetch.", highlight=False)
    err.print(seal_words(sealed), highlight=False)


def seal_words(sealed: SealReport | None) -> str:
    """One sentence on what was sealed; None: the clock was not the real one."""
    if sealed is None:
        return "nothing was sealed: this is not the present, and the database goes by its own clock"
    words = f"{sealed.sealed} forecasts sealed, {sealed.graded} graded"
    return words + "".join(f"; {match} {why}" for match, why in sealed.refused.items())
