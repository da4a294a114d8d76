"""`tipoff history`: results since 2023, kept apart from the league's own feed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import signal

import typer

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, parse_day, parse_time, read_settings
from tipoff.cli.live import summary
from tipoff.cli.output import err, out, print_json, progress
from tipoff.clock import SystemClock
from tipoff.errors import InputError, UpstreamError
from tipoff.pipeline.fetch import fetch as fetch_days
from tipoff.pipeline.wiring import older_results
from tipoff.storage import details, matches
from tipoff.upstream.h2h2025 import FIRST_DAY

app = typer.Typer(no_args_is_help=True, help="Older results, and scores by period.")
Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")


@app.callback()
def history() -> None:
    """Older results, and scores by period."""


@app.command()
def fetch(
    first: str = typer.Option(FIRST_DAY.isoformat(), "--from", help="The earliest day."),
    last: str | None = typer.Option(None, "--to", help="The latest day; default: yesterday."),
    json: bool = Json,
) -> None:
    """Fetch results from the 2025 API, the newest day first; run again, it goes on where it was stopped."""
    settings, clock = read_settings(), SystemClock()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begin = parse_day(first, "--from")
    end = clock.now().date() - dt.timedelta(days=1) if last is None else parse_day(last, "--to")
    if end < begin:
        raise InputError(f"--to {end} comes before --from {begin}")
    days = [end - dt.timedelta(days=i) for i in range((end - begin).days + 1)]
    with older_results(settings, clock) as source, database(settings) as pool, progress("history") as report:
        try:
            done = fetch_days(pool, source, days, clock.now(), report)
        except KeyboardInterrupt:
            err.print("stopped: what was answered is kept, and the same command goes on from there")
            raise
    if json:
        print_json(dataclasses.asdict(done))
    else:
        out.print(summary(done), highlight=False)
        if not settings.learn_older:
            out.print("no forecast learns from them: TIPOFF_LEARN_OLDER is not true", highlight=False)
    if done.failed:
        named = "; ".join(f"{day}: {why}" for day, why in done.failed.items())
        raise UpstreamError(f"{len(done.failed)} days could not be fetched ({named}); run it again")


@app.command()
def status(json: bool = Json) -> None:
    """How many older results there are, of which days, and what came of asking for scores by period."""
    settings = read_settings()
    with database(settings) as pool, pool.connection() as connection:
        older, asked = matches.older(connection), details.counts(connection)
    if json:
        print_json({"older": as_json(older), "learned": settings.learn_older, "details": asked})
        return
    learned = "learned from" if settings.learn_older else "not learned from"
    days = f", {older.first} to {older.last} ({older.days} days)" if older.results else ""
    out.print(f"{older.results} older results{days}, {learned}", highlight=False)
    said = ", ".join(f"{number} {outcome}" for outcome, number in asked.items()) or "none asked for"
    out.print(f"scores by period: {said}", highlight=False)


@app.command()
def periods(
    at: str | None = typer.Option(None, "--at", help="As of this time (ISO with offset); default: now."),
) -> None:
    """Scores by period that could be known at a time: one JSON object a line, in order of the start."""
    moment = parse_time(at) or SystemClock().now()
    with database(read_settings()) as pool, pool.connection() as connection:
        found = details.known_at(connection, moment)
    for external_id, period in found:
        print_json({"external_id": external_id, **dataclasses.asdict(period)})
