"""`tipoff demo`: from nothing to forecasts and an honest measurement of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import socket
import time
from pathlib import Path
from typing import Any

import typer

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, read_settings
from tipoff.cli.jobs import JobFailedError, follow
from tipoff.cli.live import training_words
from tipoff.cli.output import forecast_table, local, measures_table, out, print_json, progress
from tipoff.cli.record import record_table, verification_words
from tipoff.cli.web import laptop_key, serving, until_told
from tipoff.cli.worker import deployment, known_types, working
from tipoff.clock import Clock, FixedClock, SystemClock
from tipoff.domain.job import JobStatus
from tipoff.errors import InputError, LedgerError
from tipoff.jobs import schedule
from tipoff.jobs.service import JobService
from tipoff.league.book import MatchBook
from tipoff.league.recorded import RecordedBook
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.ledger.chain import Verification
from tipoff.ledger.export import publish_head
from tipoff.ledger.record import Record
from tipoff.pipeline.watch import record, verify_database
from tipoff.settings import Settings
from tipoff.storage import ledger, models
from tipoff.storage.pool import Pool

FIRST = 50
"""priority of the demo's own jobs before those of schedules"""
BEFORE_END = dt.timedelta(hours=1)
"""with recorded days the clock stands that long before the last result, so that there are next matches"""
REPLAYED = "*/2 * * * *"
"""while the demo serves, the replay goes on to the present by this schedule"""
SEALED = dt.timedelta(days=3)
"""the last days that are replayed into the demo's ledger"""


def demo(
    recorded: Path | None = typer.Option(None, help="Use this folder of recorded days instead of simulating."),
    days: int = typer.Option(60, min=12, max=100, help="Days of history to fetch."),
    seed: int = typer.Option(7, min=0, help="Seed of the simulated league."),
    serve: bool = typer.Option(True, help="Serve the dashboard at the end, until Ctrl-C."),
    port: int | None = typer.Option(None, min=0, max=65535, help="Port of the dashboard (0: any free one)."),
    json: bool = typer.Option(False, "--json", help="One JSON value on stdout and nothing else; serves nothing."),
) -> None:
    """League server, private database, fetch, train, predict; then the dashboard, kept up to date."""
    started = time.monotonic()
    settings = read_settings()
    port = _free(settings, port) if serve and not json else 0
    book: MatchBook
    if recorded is not None:
        book = RecordedBook(recorded)
        clock: Clock = FixedClock(book.end - BEFORE_END)
        label, banner = f"recorded-{recorded.resolve().name}", f"RECORDED matches from {recorded}"
    else:
        book, clock = League(LeagueSettings(seed=seed)), SystemClock()
        label, banner = f"league-{seed}", f"SIMULATED league (seed {seed}): players, teams and results are invented"
    settings.home = settings.home / f"demo-{label}"
    settings.database_url, settings.source, settings.league_label = None, "league", label
    with database(settings) as pool, league_server(LeagueApp(book, clock)) as settings.league_url:
        demo = Demo(pool, clock, settings, banner, label, json)
        _begin(demo)
        at = clock.now().isoformat() if isinstance(clock, FixedClock) else None
        with working(deployment(settings, at), known_types(settings), 1, schedules=True):
            answer = _run(demo, days)
            answer["seconds"] = round(time.monotonic() - started, 1)
            if json:
                print_json(answer)
                return
            out.print(
                f"{banner}. Done in {answer['seconds']} s; a second run reuses database and model.", highlight=False
            )
            if serve:
                _serve(demo, port)


def _serve(demo: Demo, port: int) -> None:
    """The dashboard over what the demo made, while its worker keeps that up to date."""
    settings, stop = demo.settings, until_told()
    laptop_key(settings, demo.pool, shown=True)
    with demo.pool.connection() as connection:
        schedule.edit(
            connection, JobService(known_types(settings)), "replay", job_type="replay_record",
            params=_replay(demo), cron=REPLAYED,
        )  # fmt: skip
    with serving(settings, port) as url:
        out.print(f"Dashboard at {url} (API at {url}/api/docs); Ctrl-C stops.", highlight=False, soft_wrap=True)
        stop.wait()
    out.print("stopped cleanly")


def _free(settings: Settings, port: int | None) -> int:
    """The port that was asked for; where none was and the usual one is taken, any free one.

    Looked for before all the work: raises InputError where the port that was asked for is taken.
    """
    wanted = settings.port if port is None else port
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((settings.host, wanted))
        except OSError as error:
            if port is None:
                return 0
            raise InputError(f"port {port} of {settings.host} cannot be used: choose another one") from error
    return wanted


@dataclasses.dataclass(frozen=True, slots=True)
class Demo:
    """What every step of the demo works with."""

    pool: Pool
    clock: Clock
    settings: Settings
    banner: str
    label: str
    json: bool


def _begin(demo: Demo) -> None:
    """Open the ledger and install the schedules."""
    if not demo.json:
        out.print(f"{demo.banner}.", highlight=False)
    with demo.pool.connection() as connection:
        ledger.open_ledger(connection, "replay", f"replay: {demo.label}", demo.clock.now() - SEALED)
        schedule.install(connection)
        schedule.skip_missed(connection)


def _run(demo: Demo, days: int) -> dict[str, object]:
    """Two jobs, by a worker that also has the schedules; what is shown is what they left."""
    pool, now = demo.pool, demo.clock.now()
    train = _training_is_due(demo)
    made = _job(demo, "data_pipeline", {"history_days": days, "train_model": train, "return_predictions": True})
    with pool.connection() as connection:
        model = models.active(connection)
    if model is None:
        raise InputError(f"the first model was refused, so nothing forecasts: {made['train']['reason']}")
    _job(demo, "replay_record", _replay(demo))
    _job(demo, "track_record", {})
    _job(demo, "ledger_verification", {})
    record, verified = _record(demo, now)
    if not demo.json:
        _show(demo, made, model[1], record, verified)
    return {
        "banner": demo.banner,
        "model": model[0],
        "results": made["predict"]["results"],
        "predictions": made["predictions"],
        "measured": model[1]["measured"],
        "record": as_json(record),
        "ledger": as_json(verified),
    }


def _replay(demo: Demo) -> dict[str, Any]:
    """Parameters of the job that seals and grades into the demo's ledger."""
    return {"hours": SEALED / dt.timedelta(hours=1), "label": f"replay: {demo.label}"}


def _training_is_due(demo: Demo) -> bool:
    """Nothing forecasts, or no challenger was trained for a day."""
    with demo.pool.connection() as connection:
        known = models.listed(connection)
    return not any(m.active for m in known) or demo.clock.now() - known[0].created_at >= dt.timedelta(days=1)


def _job(demo: Demo, name: str, params: dict[str, Any]) -> dict[str, Any]:
    service = JobService(known_types(demo.settings))
    while True:
        with demo.pool.connection() as connection:
            asked = service.enqueue(connection, name, params, priority=FIRST, requested_by="tipoff demo")
        with progress(name.replace("_", " ")) as say:
            job = follow(demo.pool, service, asked.id, say)
        if asked.new:
            break  # what was live before, of an interrupted demo, asked for something else
    if job.status is not JobStatus.COMPLETED:
        raise JobFailedError(f"{name} {job.status}: {(job.error or {}).get('message', job.message)}")
    result: dict[str, Any] = job.result
    return result


def _show(demo: Demo, made: dict[str, Any], model: dict[str, Any], record: Record, verified: Verification) -> None:
    fetched, ingested = made["fetch"], made["ingest"]
    out.print(
        f"asked for {fetched['asked']} days, {fetched['settled']} already settled, {ingested['new']} new results, "
        f"{ingested['changed']} changed, {ingested['fixtures']} fixtures seen, "
        f"{sum(ingested['quarantined'].values())} rows in quarantine", highlight=False,
    )  # fmt: skip
    if "train" in made:
        out.print(training_words(made["train"]), highlight=False)
    kind, results = demo.banner.split(maxsplit=1)[0], made["predict"]["results"]
    forecast_table(
        made["predictions"], f"{kind} next matches as of {local(demo.clock.now())}, from {results} results"
    )
    measures_table(model["measured"])
    record_table(record)
    out.print(verification_words(verified), highlight=False)


def _record(demo: Demo, now: dt.datetime) -> tuple[Record, Verification]:
    """The record of what was sealed, and the proof of it."""
    made = record(demo.pool, demo.settings.horizons, now)
    verified, wrong, _ = verify_database(demo.pool)
    if verified.broken is not None or verified.head is None or wrong or made is None:
        raise LedgerError(f"the demo's own ledger does not verify: {verified.broken}, {wrong}")
    publish_head(verified.head, demo.settings.heads)
    return made, verified
