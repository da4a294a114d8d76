"""`tipoff up`: database, worker and schedules on one machine, until told to stop."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator

import psycopg
import typer

from tipoff import logs
from tipoff.cli.context import Role, addresses, database, read_settings
from tipoff.cli.output import local
from tipoff.cli.web import laptop_key, serving, until_told
from tipoff.cli.worker import deployment, known_types, say, working
from tipoff.clock import SystemClock
from tipoff.domain.job import Job, JobStatus
from tipoff.errors import StorageError
from tipoff.jobs import schedule
from tipoff.jobs.service import JobService
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.settings import Settings
from tipoff.storage import jobs, models, schedules
from tipoff.storage.pool import Pool

LOOK = 0.5
AWAY_AGAIN = 2.0


def up(
    days: int = typer.Option(61, min=4, max=400, help="Days of history to begin with."),
    concurrency: int = typer.Option(2, min=1, max=16, help="Jobs at a time."),
    port: int | None = typer.Option(None, min=0, max=65535, help="Port of the API (0: any free one)."),
) -> None:
    """Run continuously: dashboard, API, refresh, forecast, seal, grade, train; Ctrl-C or SIGTERM stops it cleanly."""
    settings = read_settings(Role.WORKER)
    lines = logs.configure(settings.secrets(), settings.log)
    logs.log_crashes()
    stop = until_told()
    with database(settings) as pool, league(settings):
        since = _begin(pool, settings, days)
        told, known = deployment(settings), known_types(settings)
        laptop_key(settings, pool, shown=not lines)
        with (
            serving(settings, settings.port if port is None else port) as url,
            working(told, known, concurrency, schedules=True, grace=5.0, report=say),
        ):
            say(f"dashboard at {url}, API at {url}/api, its documentation at {url}/api/docs")
            say(f"working on {settings.source}; Ctrl-C stops")
            _follow(pool, settings, since, stop)
    say("stopped cleanly")


@contextlib.contextmanager
def league(settings: Settings) -> Iterator[None]:
    """Serve the built-in league once for all jobs, where it is the source."""
    if settings.source != "league" or settings.league_url:
        yield
        return
    with league_server(LeagueApp(League(LeagueSettings(seed=settings.seed)), SystemClock())) as url:
        settings.league_url = url
        yield


def _begin(pool: Pool, settings: Settings, days: int) -> dt.datetime:
    """Schedules, and the first job: everything where nothing forecasts yet, else what is new."""
    service = JobService(known_types(settings))
    with pool.connection() as connection:
        now = schedules.now(connection)
        schedule.install(connection, settings.match_details)
        if models.active(connection) is None:
            wanted = {"history_days": days, "train_model": True}
            service.enqueue(connection, "data_pipeline", wanted, requested_by="tipoff up")
        else:
            service.enqueue(connection, "data_pipeline", {"history_days": days}, requested_by="tipoff up")
    return now


def _follow(pool: Pool, settings: Settings, since: dt.datetime, stop: threading.Event) -> None:
    """Say what became of each job; when the database is away, wait, and start it again where it is our own."""
    away = False
    while not stop.wait(AWAY_AGAIN if away else LOOK):
        try:
            if away:
                addresses(settings)
            with pool.connection(timeout=5.0) as connection:
                ended = jobs.ended_after(connection, since)
            away = False
        except (psycopg.OperationalError, StorageError) as error:
            if not away:
                say(f"the database is away, trying again: {error}")
            away = True
            continue
        for job in ended:
            _say(job)
            since = max(since, job.finished_at or since)


def _say(job: Job) -> None:
    when = local(job.finished_at) if job.finished_at else ""
    seconds = (job.finished_at - job.started_at).total_seconds() if job.started_at and job.finished_at else None
    took = f" in {seconds:.1f} s" if seconds is not None else ""
    about = {"job_id": str(job.id), "job_type": job.type, "outcome": job.status.value, "seconds": seconds}
    if job.request_id is not None:
        about["request_id"] = job.request_id
    if job.status is JobStatus.COMPLETED:
        say(f"{when} {job.type} completed{took}: {job.message or 'done'}", **about)
        for drift in (job.result or {}).get("grade", job.result or {}).get("drift", []):
            say(
                f"  DRIFT: {drift['measure']} was promised {drift['promised']:.4f} and is {drift['seen']:.4f}",
                **about,
            )
    else:
        why = f"{job.error['kind']}: {job.error['message']}" if job.error else job.message
        say(f"{when} {job.type} {job.status}{took}: {why}", **about)
