"""`tipoff fetch | train | predict | up`: the live path."""

from __future__ import annotations

import dataclasses
import datetime as dt
import signal
import threading

import typer

from tipoff.backtest.report import as_json
from tipoff.cli.context import artifacts, database, parse_time, read_settings, source_and_clock
from tipoff.cli.output import err, forecast_table, local, measures_table, out, print_json, progress
from tipoff.clock import SystemClock
from tipoff.errors import InputError, UpstreamError
from tipoff.pipeline import loop
from tipoff.pipeline import predict as predicting
from tipoff.pipeline import train as training
from tipoff.pipeline.code import code_version
from tipoff.pipeline.fetch import FetchReport, days_until
from tipoff.pipeline.fetch import fetch as fetch_days
from tipoff.pipeline.registry import Submitted
from tipoff.pipeline.seal import SealReport, seal_due
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


def train(at: str | None = At, json: bool = Json) -> None:
    """Fit on earlier days, measure on the days after; store the model, and let it forecast if the gate allows."""
    settings = read_settings()
    with (
        database(settings) as pool,
        artifacts(settings) as store,
        source_and_clock(settings, parse_time(at)) as (_, clock),
        progress("train") as report,
    ):
        trained = training.train(pool, store, clock.now(), code_version(), report)
        with pool.connection() as connection:
            champion = models.active(connection)
    done = trained.submitted
    if json:
        print_json(
            {
                "model": done.sha256, "version": done.version, "activated": done.activated,
                "reason": done.verdict.reason, "gate": as_json(done.verdict), "fit": trained.model.fit,
                "measured": trained.model.measured,
            }
        )  # fmt: skip
    else:
        out.print(gate_words(done), highlight=False)
        measures_table(trained.model.measured)
    if champion is None:
        raise InputError(f"nothing forecasts, because the first model was refused: {done.verdict.reason}")


def gate_words(done: Submitted) -> str:
    """One sentence on what the gate said."""
    name = f"model {done.version} ({done.sha256[:12]})"
    if done.activated:
        return f"{name} passed the gate and forecasts now: {done.verdict.reason}"
    return f"{name} was refused and does not forecast: {done.verdict.reason}"


def predict(at: str | None = At, json: bool = Json) -> None:
    """Forecast every known fixture that has not started, and seal those that are due."""
    settings = read_settings()
    with database(settings) as pool, source_and_clock(settings, parse_time(at)) as (_, clock):
        live, predicted = predicting.predict(pool, clock.now())
        now = clock.now()
        real = isinstance(clock, SystemClock)
        sealed = seal_due(pool, live, settings.horizons, code_version()) if real else None
    if json:
        print_json([p.as_json() for p in predicted])
    else:
        forecast_table(predicted, f"Next matches as of {local(now)}, from {live.state.matches} results", limit=40)
        if not predicted:
            out.print("No fixtures are known: run tipoff fetch.", highlight=False)
    err.print(seal_words(sealed), highlight=False)


def seal_words(sealed: SealReport | None) -> str:
    """One sentence on what was sealed; None: the clock was not the real one."""
    if sealed is None:
        return "nothing was sealed: this is not the present, and the database goes by its own clock"
    words = f"{sealed.sealed} forecasts sealed, {sealed.graded} graded"
    return words + "".join(f"; {match} {why}" for match, why in sealed.refused.items())


def up(
    poll: float = typer.Option(60.0, min=1.0, help="Seconds between two polls."),
    days: int = typer.Option(61, min=4, max=400, help="Days of history to begin with."),
) -> None:
    """Run continuously: poll, ingest, update, forecast, seal, grade; Ctrl-C or SIGTERM stops it cleanly."""
    settings = read_settings()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    every = dt.timedelta(minutes=settings.heads_every)
    plan = loop.Plan(poll, days, settings.horizons, settings.heads, every, settings.heads_git, code_version())
    with (
        database(settings) as pool,
        artifacts(settings) as store,
        source_and_clock(settings) as (source, clock),
    ):
        err.print(f"polling {source.name} every {poll:g} s; Ctrl-C stops", highlight=False)
        loop.Loop(pool, store, source, clock, plan).run(stop, _say)
    out.print("stopped cleanly", highlight=False)


def _say(turn: loop.Round) -> None:
    if turn.trained is not None:
        out.print(f"{local(turn.at)} {gate_words(turn.trained)}", highlight=False)
    if turn.error is not None:
        err.print(f"{local(turn.at)} failed, will try again: {turn.error}", highlight=False)
        return
    fetched = summary(turn.fetched) if turn.fetched else ""
    for day, why in (turn.fetched.failed if turn.fetched else {}).items():
        err.print(f"{local(turn.at)} {day} failed, will try again: {why}", highlight=False)
    out.print(
        f"{local(turn.at)} {fetched}; {len(turn.predicted)} fixtures forecast; {seal_words(turn.sealed)}",
        highlight=False,
    )
    for d in turn.drifts:
        err.print(
            f"  DRIFT: {d.measure} was promised {d.promised:.4f} and is {d.seen:.4f} ({d.low:.4f} to {d.high:.4f}) "
            f"over {d.matches} matches", highlight=False,
        )  # fmt: skip
    if turn.head is not None:
        out.print(f"  published head of the ledger: row {turn.head.seq} {turn.head.hash}", highlight=False)
    for p in turn.predicted[:3]:
        out.print(f"  {local(p.fixture.start)} {p.fixture.player_a} {p.forecast.p_a:.0%} {p.fixture.player_b}",
                  highlight=False)  # fmt: skip
