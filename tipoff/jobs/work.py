"""What a handler works with: its parameters, a fenced database, the source and its clock, progress and steps."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from psycopg.types.json import Jsonb
from pydantic_settings import SettingsConfigDict

from tipoff.clock import Clock
from tipoff.errors import LeaseLostError, TipoffError
from tipoff.jobs.runner import Task
from tipoff.jobs.types import Params
from tipoff.settings import Settings
from tipoff.storage import jobs, transitions
from tipoff.storage.fence import fenced_pool
from tipoff.storage.pool import Connection, Pool

if TYPE_CHECKING:
    from tipoff.storage.artifacts import ArtifactStore
    from tipoff.upstream.source import MatchSource

P = TypeVar("P", bound=Params)
STEP_PROGRESS_EVERY = 1.0
PATIENCE = 30.0
"""seconds for which a job asks the league the same thing: one that hangs must not use up the job's time limit"""


class GivenSettings(Settings):
    """Settings that read what the worker handed over, and no file."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore")


class StepError(Exception):
    """A step of a pipeline failed; says what was kept and what was not done."""

    def __init__(self, message: str, cause: Exception) -> None:
        super().__init__(message)
        self.cause = cause


class StepRun:
    """A step while it runs; `detail` is what an interrupted attempt of it noted."""

    def __init__(self, work: Work, name: str, detail: dict[str, Any], span: tuple[float, float]) -> None:
        self.name, self.detail = name, detail
        self.rows_in = self.rows_out = 0
        self._work, self._span, self._last = work, span, time.monotonic()

    def progress(self, share: float, message: str) -> None:
        """Share (0 to 1) of this step."""
        begin, end = self._span
        self._work.progress(begin + (end - begin) * share, message)
        now = time.monotonic()
        if now - self._last >= STEP_PROGRESS_EVERY:
            self._last = now
            with self._work.pool.connection() as connection:
                connection.execute(
                    "update pipeline_jobs set progress = %s where job_id = %s and step = %s",
                    (min(99.0, 100 * share), self._work.task.id, self.name),
                )

    def note(self, connection: Connection, **detail: Any) -> None:
        """Remember, in the transaction that did it, how far this step is."""
        self.detail = {**self.detail, **detail}
        jobs.note_step(connection, self._work.task.id, self.name, self.detail)


class Work:
    """One attempt of one job. Everything is made when first asked for and given back at the end."""

    def __init__(self, task: Task, progress: Callable[[float, str], None]) -> None:
        self.task, self.progress = task, progress
        self.message = ""
        """what the job says when it is done"""
        self.ended = False
        """the handler completed the job in a transaction of its own"""
        self._open = contextlib.ExitStack()
        self._steps: list[str] = []
        self._done: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def params(self, kind: type[P]) -> P:
        """The parameters, checked again."""
        return kind.model_validate(self.task.params)

    @property
    def seconds_left(self) -> float:
        """Until the time limit."""
        return self.task.deadline - time.monotonic()

    @functools.cached_property
    def settings(self) -> Settings:
        """The deployment's settings, with the secrets this type may have."""
        return GivenSettings()

    @functools.cached_property
    def pool(self) -> Pool:
        """The database; every writing transaction ends with the fence."""
        pool = fenced_pool(self.task.dsn, self.task.id, self.task.token)
        self._open.callback(pool.close)
        return pool

    @functools.cached_property
    def store(self) -> ArtifactStore:
        """Where model files are."""
        from tipoff.pipeline.wiring import artifacts

        return self._open.enter_context(artifacts(self.settings))

    @functools.cached_property
    def _source_and_clock(self) -> tuple[MatchSource, Clock]:
        from tipoff.pipeline.wiring import source_and_clock

        return self._open.enter_context(source_and_clock(self.settings, self.task.at, PATIENCE))

    @property
    def source(self) -> MatchSource:
        """Where matches come from."""
        return self._source_and_clock[0]

    @property
    def clock(self) -> Clock:
        """The clock that goes with the source."""
        return self._source_and_clock[1]

    @property
    def now(self) -> dt.datetime:
        """The present moment of that clock."""
        return self.clock.now()

    def complete(self, connection: Connection, result: object, message: str = "") -> None:
        """End the job in the caller's transaction, so that its effects and its end are one: the last thing it does.

        Raises LeaseLostError when another attempt has the job.
        """
        held = {"id": self.task.id, "token": self.task.token}
        row = connection.execute(
            transitions.COMPLETE, {**held, "result": Jsonb(result), "message": message}
        ).fetchone()
        if row is None:
            raise LeaseLostError(f"job {self.task.id} is no longer held by this attempt")
        setattr(connection, "held", None)  # noqa: B010 - the job has ended: there is no fence to ask any more
        self.ended = True

    def plan(self, *names: str, fresh: float | None = None) -> None:
        """Write down the steps that will be taken; those of an attempt begun over `fresh` seconds ago are void."""
        self._steps = list(names)
        with self.pool.connection() as connection:
            jobs.plan_steps(connection, self.task.id, names, fresh)

    def step(self, name: str, do: Callable[[StepRun], Mapping[str, Any]]) -> dict[str, Any]:
        """Take a step and return what it found; one that was completed by an earlier attempt is not taken again.

        Raises StepError that says what was kept and what was not done.
        """
        at = self._steps.index(name)
        with self.pool.connection() as connection:
            earlier = jobs.begin_step(connection, self.task.id, name)
            if earlier is None:
                self._done.append(name)
                return next(s.detail for s in jobs.steps(connection, self.task.id) if s.step == name)
        run = StepRun(self, name, earlier, (at / len(self._steps), (at + 1) / len(self._steps)))
        self.progress(at / len(self._steps), name)
        try:
            found = dict(do(run))
        except LeaseLostError:
            raise
        except Exception as error:
            raise StepError(self._failed(name, error), error) from error
        with self.pool.connection() as connection:
            jobs.end_step(connection, self.task.id, name, (run.rows_in, run.rows_out), found)
        self._done.append(name)
        return found

    def _failed(self, name: str, error: Exception) -> str:
        said = str(error) if isinstance(error, TipoffError) else f"{type(error).__name__}: {error}"
        kept = ", ".join(self._done) or "nothing before it"
        left = ", ".join(self._steps[self._steps.index(name) + 1 :]) or "nothing"
        return f"step {name} failed: {said}. Kept: {kept}; not done: {left}"
