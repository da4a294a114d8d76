"""`tipoff jobs`: start long work, follow it, stop it, look at it."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable
from typing import Any

import typer
from rich.live import Live
from rich.table import Table

from tipoff.cli.context import database, parse_time, read_settings
from tipoff.cli.output import err, local, out, print_json, progress, wide
from tipoff.cli.worker import deployment, known_types, working
from tipoff.domain.job import Job, JobStatus
from tipoff.errors import InputError, TipoffError
from tipoff.jobs import schedule as schedules_of
from tipoff.jobs.service import JobService
from tipoff.storage import schedules
from tipoff.storage.pool import Pool

app = typer.Typer(no_args_is_help=True, help="Long work: start it, follow it, stop it, look at it.")
schedule_app = typer.Typer(no_args_is_help=True, help="What runs by itself, and when.")
app.add_typer(schedule_app, name="schedule")
Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")
FOLLOW = 0.25
WATCH = 1.0


class JobFailedError(TipoffError):
    """The job that was followed did not complete."""


def service() -> JobService:
    """With the types of this deployment."""
    return JobService(known_types(read_settings()))


def parsed(pairs: list[str]) -> dict[str, Any]:
    """k=v pairs; the type's own rules turn the text into values."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f"--param {pair!r} is not of the form name=value")
        found[key] = value
    return found


def follow(pool: Pool, jobs: JobService, job_id: uuid.UUID, say: Callable[[float, str], None]) -> Job:
    """Wait until a job has ended, reporting its progress."""
    while True:
        with pool.connection() as connection:
            job = jobs.get(connection, job_id)
        waiting = job.status is JobStatus.PENDING
        say(job.progress / 100, f"{job.message or 'waiting for a worker'}" if waiting else job.message)
        if job.status.final:
            return job
        time.sleep(FOLLOW)


@app.command()
def run(
    job_type: str = typer.Argument(..., metavar="TYPE", help="Such as data_pipeline or model_training."),
    param: list[str] = typer.Option([], "--param", "-p", help="name=value, repeatable."),
    priority: int = typer.Option(0, help="A point is worth a minute of waiting; -100 to 100."),
    run_after: str | None = typer.Option(None, help="Not before this time (ISO with offset)."),
    detach: bool = typer.Option(False, help="Print the id and do not wait."),
    inline: bool = typer.Option(False, help="Also work on the queue here until it has ended."),
    json: bool = Json,
) -> None:
    """Enqueue a job and follow it until it has ended; Ctrl-C stops following, not the job."""
    settings, jobs = read_settings(), service()
    with database(settings) as pool:
        with pool.connection() as connection:
            found = jobs.enqueue(
                connection, job_type, parsed(param), priority=priority, run_after=parse_time(run_after),
                requested_by="command line",
            )  # fmt: skip
        if not found.new:
            err.print(f"a {job_type} job is live already: {found.id}", highlight=False)
        if detach:
            with pool.connection() as connection:
                job = jobs.get(connection, found.id)
            print_json(job.as_json()) if json else out.print(str(found.id), highlight=False)
            return
        with progress(job_type) as say:
            if inline:
                with working(deployment(settings), known_types(settings), 1, schedules=False):
                    job = follow(pool, jobs, found.id, say)
            else:
                job = follow(pool, jobs, found.id, say)
    report(job, json)


def report(job: Job, json: bool) -> None:
    """Say how a job ended; raises JobFailedError unless it was completed."""
    if json:
        print_json(job.as_json())
    elif job.status is JobStatus.COMPLETED:
        out.print(f"{job.type} {job.id} completed: {job.message or 'done'}", highlight=False)
    if job.status is not JobStatus.COMPLETED:
        raise JobFailedError(f"{job.type} {job.id} {job.status}: {(job.error or {}).get('message', job.message)}")


@app.command(name="list")
def list_jobs(
    status: JobStatus | None = typer.Option(None, help="Only these."),
    job_type: str | None = typer.Option(None, "--type", help="Only these."),
    limit: int = typer.Option(20, min=1, max=1000),
    json: bool = Json,
) -> None:
    """Jobs, newest first."""
    with database(read_settings()) as pool, pool.connection() as connection:
        found = service().listed(connection, status=status, job_type=job_type, limit=limit)
    if json:
        print_json([job.as_json() for job in found])
    else:
        wide(table(found))


def table(found: list[Job]) -> Table:
    """Jobs as a table."""
    made = Table(header_style="bold")
    for name in ("Id", "Type", "Status", "Done", "Attempt", "Created", "Took", "What"):
        made.add_column(name, no_wrap=name != "What")
    for job in found:
        what = job.error["message"] if job.error and job.status is JobStatus.FAILED else job.message
        made.add_row(
            str(job.id)[:8], job.type, job.status.value, f"{job.progress:.0f} %", f"{job.attempt}/{job.max_attempts}",
            local(job.created_at), _took(job), what[:120],
        )  # fmt: skip
    return made


def _took(job: Job) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    return f"{(job.finished_at - job.started_at).total_seconds():.1f} s"


@app.command()
def show(name: str = typer.Argument(..., metavar="ID"), json: bool = Json) -> None:
    """One job: its parameters, steps, result, error, and what its attempts wrote."""
    jobs = service()
    with database(read_settings()) as pool, pool.connection() as connection:
        job = jobs.find(connection, name)
        steps, lines = jobs.steps(connection, job.id), jobs.logs(connection, job.id)
    if json:
        print_json(
            {
                **job.as_json(),
                "steps": [dataclasses.asdict(step) for step in steps],
                "log": [dataclasses.asdict(line) for line in lines],
            }
        )
        return
    for key, value in job.as_json().items():
        if value not in (None, ""):
            out.print(f"{key}: {value}", highlight=False, markup=False)
    for step in steps:
        rows = "" if step.rows_in is None else f", {step.rows_in} rows in, {step.rows_out} out"
        out.print(f"  step {step.step}: {step.status}{rows}", highlight=False)
    for line in lines:
        out.print(f"  [{line.attempt}] {line.line}", highlight=False, markup=False)


@app.command()
def cancel(name: str = typer.Argument(..., metavar="ID"), json: bool = Json) -> None:
    """Cancel a job that waits; end one that runs."""
    jobs = service()
    with database(read_settings()) as pool:
        with pool.connection() as connection:
            job = jobs.cancel(connection, jobs.find(connection, name).id)
        print_json(job.as_json()) if json else out.print(
            f"{job.id} {'is asked to stop' if job.status is JobStatus.RUNNING else job.status}", highlight=False
        )


@app.command()
def retry(name: str = typer.Argument(..., metavar="ID"), json: bool = Json) -> None:
    """Let a failed or cancelled job run again; completed steps are not repeated."""
    jobs = service()
    with database(read_settings()) as pool, pool.connection() as connection:
        job = jobs.retry(connection, jobs.find(connection, name).id)
    print_json(job.as_json()) if json else out.print(f"{job.id} waits again", highlight=False)


@app.command()
def cleanup(
    days: float = typer.Option(30, min=0, help="Jobs that ended longer ago go."),
    keep: int = typer.Option(10_000, min=0, help="At most that many ended jobs stay."),
    json: bool = Json,
) -> None:
    """Delete jobs that ended long ago, with their steps and logs."""
    with database(read_settings()) as pool, pool.connection() as connection:
        gone = service().cleanup(connection, days=days, keep=keep)
    print_json({"deleted": gone}) if json else out.print(f"{gone} jobs deleted", highlight=False)


@app.command()
def stats(json: bool = Json) -> None:
    """Counts, success rate and durations by type; jobs that look stuck."""
    jobs = service()
    with database(read_settings()) as pool, pool.connection() as connection:
        found, stuck = jobs.statistics(connection), jobs.stuck(connection)
    if json:
        print_json({"types": found, "stuck": [{**job.as_json(), "why": why} for job, why in stuck]})
        return
    made = Table(header_style="bold")
    for name in found[0] if found else ("type",):
        made.add_column(name, no_wrap=True)
    for row in found:
        made.add_row(*(f"{v:.3g}" if isinstance(v, float) else "" if v is None else str(v) for v in row.values()))
    wide(made)
    for job, why in stuck:
        err.print(f"stuck ({why}): {job.type} {job.id} on {job.worker}", highlight=False)


@app.command()
def watch(limit: int = typer.Option(20, min=1, max=200), json: bool = Json) -> None:
    """The newest jobs, live, until Ctrl-C; without a terminal, or with --json, once."""
    jobs = service()
    with database(read_settings()) as pool:

        def newest() -> list[Job]:
            with pool.connection() as connection:
                return jobs.listed(connection, limit=limit)

        if json:
            print_json([job.as_json() for job in newest()])
        elif not out.is_terminal:
            wide(table(newest()))
        else:
            with Live(table(newest()), console=out, refresh_per_second=4) as live:
                while True:
                    time.sleep(WATCH)
                    live.update(table(newest()))


@schedule_app.command(name="list")
def list_schedules(json: bool = Json) -> None:
    """What runs by itself, when it did last, what became of that, when next."""
    with database(read_settings()) as pool, pool.connection() as connection:
        schedules_of.install(connection)
        found = schedules.listed(connection)
    if json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    made = Table(header_style="bold")
    for name in ("Name", "Type", "Cron (UTC)", "On", "Next", "Last", "Outcome"):
        made.add_column(name, no_wrap=True)
    for s in found:
        last = local(s.last_at) if s.last_at else ""
        on = "yes" if s.enabled else "no"
        made.add_row(s.name, s.type, s.cron, on, s.next_at.strftime("%d %b %H:%M"), last, s.last_outcome[:60])
    wide(made)


@schedule_app.command(name="set")
def set_schedule(
    name: str,
    job_type: str | None = typer.Option(None, "--type", help="What it enqueues."),
    cron: str | None = typer.Option(None, help="Five fields in UTC, or six with seconds first."),
    param: list[str] = typer.Option([], "--param", "-p", help="name=value, repeatable."),
    enabled: bool | None = typer.Option(None, "--on/--off", help="Whether it fires."),
) -> None:
    """Change a schedule, or add one."""
    with database(read_settings()) as pool, pool.connection() as connection:
        made = schedules_of.edit(
            connection, service(), name, job_type=job_type, params=parsed(param) if param else None, cron=cron,
            enabled=enabled,
        )  # fmt: skip
    on = f"next {made.next_at.isoformat()}" if made.enabled else "off"
    out.print(f"{made.name}: {made.type} at {made.cron}, {on}", highlight=False)


@schedule_app.command(name="remove")
def remove_schedule(name: str) -> None:
    """Forget a schedule (a default one comes back when a worker starts: switch that off instead)."""
    with database(read_settings()) as pool, pool.connection() as connection:
        if not schedules.remove(connection, name):
            raise InputError(f"there is no schedule {name!r}")
    out.print(f"{name} removed", highlight=False)
