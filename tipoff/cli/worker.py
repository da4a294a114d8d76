"""`tipoff worker`: run jobs until told to stop; and a worker inside another command."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
import typer

from tipoff import logs
from tipoff.cli.context import Role, addresses, database, parse_time, read_settings
from tipoff.cli.output import print_json
from tipoff.errors import InputError
from tipoff.health.settings import read_health_settings
from tipoff.jobs import schedule
from tipoff.jobs.beside import end_with_parent, when_left
from tipoff.jobs.deployment import Deployment
from tipoff.jobs.reporting import Report, silence
from tipoff.jobs.service import JobService
from tipoff.jobs.types import JobType, job_types
from tipoff.jobs.worker import Timing, Worker
from tipoff.pipeline.monitoring import monitor_of
from tipoff.settings import Settings

BAD = ("failed", "lease_lost")
"""outcomes of an attempt that are worth a look"""


def deployment(settings: Settings, at: str | None = None) -> Deployment:
    """What child processes are told."""
    dsn, owner = addresses(settings)
    return Deployment(dsn, owner, settings, at)


def known_types(settings: Settings) -> dict[str, JobType]:
    """The built-in types and those of TIPOFF_JOB_MODULES."""
    return job_types(settings.job_modules)


def worker(
    concurrency: int = typer.Option(2, min=1, max=64, help="Jobs at a time."),
    types: str | None = typer.Option(None, help="Only these types, separated by commas."),
    schedules: bool = typer.Option(True, help="Also fire schedules that are due."),
    grace: float = typer.Option(20.0, min=0, max=250, help="Seconds that jobs get to finish after SIGTERM."),
    at: str | None = typer.Option(None, "--at", help="Jobs pretend it is this time (ISO with offset)."),
    drain_and_exit: bool = typer.Option(
        False, help="Run what is due, fire no schedules, and exit once nothing of these types is due any more."
    ),
    json: bool = typer.Option(False, "--json", help="With --drain-and-exit: one JSON value on stdout."),
    beside: bool = typer.Option(False, "--beside", hidden=True, help="Stop when standard input ends."),
) -> None:
    """Run jobs until told to stop (Ctrl-C or SIGTERM; what runs is finished or handed back)."""
    if beside:
        end_with_parent()
    settings = read_settings(Role.WORKER)
    if json and not drain_and_exit:
        raise InputError("--json says what --drain-and-exit did: give both")
    logs.configure(settings.secrets(), "text" if json else settings.log)
    logs.log_crashes()
    schedules = schedules and not drain_and_exit
    known = known_types(settings)
    only = [name.strip() for name in types.split(",")] if types else None
    unknown = [name for name in only or [] if name not in known]
    if unknown:
        raise InputError(f"--types: there is no job type {unknown[0]!r}; there are {', '.join(sorted(known))}")
    moment = parse_time(at)
    with database(settings) as pool, pool.connection() as connection:
        if schedules:
            schedule.install(connection, settings.match_details)
    told = deployment(settings, moment.isoformat() if moment else None)

    async def run() -> collections.Counter[str]:
        made = Worker(
            told, known, concurrency, only=only, schedules=schedules, timing=Timing(grace=grace), report=say,
            drain=drain_and_exit,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        if beside:
            when_left(lambda: loop.call_soon_threadsafe(hand_back, made))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, made.stop)
        await made.run()
        return made.came_to

    with monitoring(settings):
        came_to = asyncio.run(run())
    if json:
        print_json({"ran": came_to.total(), **came_to})
    elif drain_and_exit:
        say(f"ran {came_to.total()} jobs: {_counted(came_to)}" if came_to else "nothing was due")


def _counted(came_to: collections.Counter[str]) -> str:
    return ", ".join(f"{number} {outcome.replace('_', ' ')}" for outcome, number in sorted(came_to.items()))


def hand_back(made: Worker) -> None:
    """Stop at once, whether or not it was told to stop before."""
    made.stop()
    made.stop()


@contextlib.contextmanager
def monitoring(settings: Settings) -> Iterator[None]:
    """The periodic health check while the block runs; of many processes one looks."""
    monitor = monitor_of(settings, read_health_settings(), hurry=JobService(known_types(settings)).deliver)
    monitor.start()
    try:
        yield
    finally:
        monitor.stop()


def say(sentence: str, /, **fields: Any) -> None:
    """An event of the log; what went wrong is a warning."""
    log = structlog.get_logger("tipoff.worker")
    (log.warning if fields.get("outcome") in BAD else log.info)(sentence, **fields)


@contextlib.contextmanager
def working(
    told: Deployment, known: dict[str, JobType], concurrency: int, *, schedules: bool, grace: float = 2.0,
    only: Sequence[str] | None = None, report: Report = silence,
) -> Iterator[None]:  # fmt: skip
    """A worker in a thread of this process while the block runs; its failure interrupts the block and is raised."""
    ready = threading.Event()
    made: list[tuple[Worker, asyncio.AbstractEventLoop]] = []
    failures: list[BaseException] = []

    async def run() -> None:
        one = Worker(
            told, known, concurrency, only=only, schedules=schedules, timing=Timing(grace=grace), report=report
        )
        made.append((one, asyncio.get_running_loop()))
        ready.set()
        await one.run()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            failures.append(error)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        if thread.is_alive() and made:
            made[0][1].call_soon_threadsafe(made[0][0].stop)
        thread.join()
        if failures:
            raise failures[0]
