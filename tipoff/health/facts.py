"""What the database knows, asked over one connection that is made again when lost; each question for itself."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg

from tipoff.clock import Clock
from tipoff.health.settings import HealthSettings
from tipoff.storage import connecting, health
from tipoff.storage.deadlines import shut
from tipoff.storage.health import DatabaseFacts, ForecastFacts, FreshnessFacts, ModelFacts, QueueFacts
from tipoff.storage.pool import Connection, configure, connection_kwargs

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that the database did not answer though it is there; `hung`: it took too long."""

    why: str
    hung: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """Answers; `seconds` of a round trip; by how many `skew` this machine's clock is ahead of the database's."""

    seconds: float
    skew: float
    database: DatabaseFacts | Unanswered
    queue: QueueFacts | Unanswered
    models: ModelFacts | Unanswered
    freshness: FreshnessFacts | Unanswered
    forecasts: ForecastFacts | Unanswered


class Line:
    """A connection of the checks: made for each use, as a session pooler has few places and a look is brief."""

    def __init__(self, dsn: Callable[[], str], patience: float) -> None:
        self._dsn, self._patience = dsn, patience
        self._connection: Connection | None = None

    @contextlib.contextmanager
    def use(self) -> Iterator[Connection]:
        """A connection, given back at the end; raises psycopg.Error, TipoffError where no address is set."""
        kwargs = {
            **connection_kwargs("tipoff health"), "connect_timeout": max(2, int(self._patience)), "autocommit": True,
        }  # fmt: skip
        with contextlib.closing(connecting.Connection.connect(self._dsn(), **kwargs)) as connection:
            self._connection = connection
            try:
                configure(connection, f"{int(1000 * self._patience / 4)}ms")
                yield connection
            finally:
                self._connection = None

    def cut(self) -> None:
        """Whoever waits on it gets an error at once."""
        connection = self._connection
        if connection is not None:
            shut(connection)


def gather(line: Line, limits: HealthSettings, horizon: int, clock: Clock, since: dt.datetime | None = None) -> Facts:
    """Ask everything, also for jobs that failed after `since`; raises psycopg.OperationalError where it is away."""
    late, present = 60 * limits.schedule_minutes_warning, 3 * limits.every + 2 * limits.patience
    with line.use() as connection:
        begun = time.perf_counter()
        models = _ask(connection, lambda: health.models(connection))
        seconds = time.perf_counter() - begun
        before = clock.now()
        database = _ask(connection, lambda: health.database(connection, limits.slow_query))
        between = before + (clock.now() - before) / 2
        workers = limits.worker_seconds
        queue = _ask(
            connection, lambda: health.queue(connection, limits.stuck_seconds, late, workers, since, present)
        )
        return Facts(
            seconds,
            0.0 if isinstance(database, Unanswered) else (between - database.now).total_seconds(),
            database,
            queue,
            models,
            _ask(connection, lambda: health.freshness(connection)),
            _ask(connection, lambda: health.forecasts(connection, horizon)),
        )


def _ask(connection: Connection, question: Callable[[], T]) -> T | Unanswered:
    """Raises psycopg.OperationalError where the connection is lost."""
    try:
        return question()
    except psycopg.Error as error:
        if connection.closed:
            raise
        hung = isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable)
        return Unanswered(str(error).strip().splitlines()[0], hung)
