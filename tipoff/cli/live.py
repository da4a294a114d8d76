"""`tipoff fetch | train | predict | up`: the live path."""

from __future__ import annotations

import dataclasses
import signal
import threading

import typer

from tipoff.cli.context import database, parse_time, read_settings, source_and_clock
from tipoff.cli.output import err, forecast_table, local, measures_table, out, print_json, progress
from tipoff.errors import UpstreamError
from tipoff.pipeline import loop
from tipoff.pipeline import predict as predicting
from tipoff.pipeline import train as training
from tipoff.pipeline.fetch import FetchReport, days_until
from tipoff.pipeline.fetch import fetch as fetch_days
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


def train(at: str | None = At, json: bool = Json) -> None:
    """Fit on earlier days, measure on the days after, store and activate the model."""
    settings = read_settings()
    with (
        database(settings) as pool,
        source_and_clock(settings, parse_time(at)) as (_, clock),
        progress("train") as report,
    ):
        trained = training.train(pool, settings.models, clock.now(), report)
    if json:
        print_json({"model": trained.sha256, "fit": trained.model.fit, "measured": trained.model.measured})
    else:
        out.print(f"model {trained.sha256[:12]} is active", highlight=False)
        measures_table(trained.model.measured)


def predict(at: str | None = At, json: bool = Json) -> None:
    """Forecast every known fixture that has not started."""
    settings = read_settings()
    with database(settings) as pool, source_and_clock(settings, parse_time(at)) as (_, clock):
        live, predicted = predicting.predict(pool, clock.now())
        now = clock.now()
    if json:
        print_json([p.as_json() for p in predicted])
        return
    forecast_table(predicted, f"Next matches as of {local(now)}, from {live.state.matches} results", limit=40)
    if not predicted:
        out.print("No fixtures are known: run tipoff fetch.", highlight=False)


def up(
    poll: float = typer.Option(60.0, min=1.0, help="Seconds between two polls."),
    days: int = typer.Option(61, min=4, max=400, help="Days of history to begin with."),
) -> None:
    """Run continuously: poll, ingest, update, forecast; Ctrl-C or SIGTERM stops it cleanly."""
    settings = read_settings()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with database(settings) as pool, source_and_clock(settings) as (source, clock):
        err.print(f"polling {source.name} every {poll:g} s; Ctrl-C stops", highlight=False)
        loop.run(pool, source, clock, settings.models, stop, poll, days, _say)
    out.print("stopped cleanly", highlight=False)


def _say(turn: loop.Round) -> None:
    if turn.error is not None:
        err.print(f"{local(turn.at)} failed, will try again: {turn.error}", highlight=False)
        return
    fetched = summary(turn.fetched) if turn.fetched else ""
    for day, why in (turn.fetched.failed if turn.fetched else {}).items():
        err.print(f"{local(turn.at)} {day} failed, will try again: {why}", highlight=False)
    out.print(f"{local(turn.at)} {fetched}; {len(turn.predicted)} fixtures forecast", highlight=False)
    for p in turn.predicted[:3]:
        out.print(f"  {local(p.fixture.start)} {p.fixture.player_a} {p.forecast.p_a:.0%} {p.fixture.player_b}",
                  highlight=False)  # fmt: skip
