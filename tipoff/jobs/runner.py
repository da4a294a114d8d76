"""The process that runs handlers: forked by a guard, one task at a time, one JSON value a line."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_RESULT = 8 * 2**20
"""bytes of JSON that a result may have"""
PROGRESS_EVERY = 0.2


class Stopped(BaseException):
    """The guard asked this process to end; handlers may tidy up in `finally`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What a runner is handed."""

    id: uuid.UUID
    token: int
    attempt: int
    max_attempts: int
    type: str
    run: str
    kernels: bool
    params: dict[str, Any]
    deadline: float
    dsn: str
    owner_dsn: str | None
    environment: dict[str, str]
    at: dt.datetime | None


def serve(tasks: int, events: int) -> None:
    """Run tasks until the pipe ends."""
    me = os.getpid()
    forks: list[int] = []
    os.register_at_fork(after_in_parent=lambda: forks.append(1))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    def send(event: dict[str, Any]) -> None:
        data = (json.dumps(event, default=str) + "\n").encode()
        while data:
            data = data[os.write(events, data) :]

    def stop(*_: object) -> None:
        raise Stopped

    with os.fdopen(tasks, encoding="utf-8") as lines:
        for line in lines:
            raw = json.loads(line)
            task = _task(raw)
            signal.signal(signal.SIGTERM, stop)
            try:
                event = _run(task, _progress(send))
            except Stopped:
                os._exit(0)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.getpid() != me:
                os._exit(0)
            if forks:
                event = {"outcome": "forked"}
            sys.stdout.flush()
            sys.stderr.flush()
            send({"task": task.token, **event})


def _task(raw: dict[str, Any]) -> Task:
    return Task(
        id=uuid.UUID(raw["id"]), token=raw["token"], attempt=raw["attempt"], max_attempts=raw["max_attempts"],
        type=raw["type"], run=raw["run"], kernels=raw["kernels"], params=raw["params"], deadline=raw["deadline"],
        dsn=raw["dsn"], owner_dsn=raw["owner_dsn"], environment=raw["environment"],
        at=dt.datetime.fromisoformat(raw["at"]) if raw["at"] else None,
    )  # fmt: skip


def _progress(send: Callable[[dict[str, Any]], None]) -> Callable[[float, str], None]:
    last = 0.0

    def say(share: float, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_EVERY:
            last = now
            send({"progress": [min(max(share, 0.0), 1.0), str(message)[:300]]})

    return say


def _run(task: Task, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Run one handler; what it returned or raised as an event."""
    from tipoff.jobs.work import Work

    os.environ.update(task.environment)
    try:
        with Work(task, progress) as work:
            if task.kernels and (ended := _compiling_ended(task)):
                return ended
            result = load(task.run)(work)
            if work.ended:
                return {"outcome": "ended"}
            text = json.dumps(result, allow_nan=False, default=str)
        if len(text) > MAX_RESULT:
            return failed(
                "result_too_big", f"its result has {len(text):,} bytes; {MAX_RESULT:,} are allowed", task.run
            )
        return {"outcome": "completed", "result": json.loads(text), "message": str(work.message)[:2000]}
    except MemoryError as error:
        return failed("out_of_memory", f"ran out of the memory allowed: {error}", _where(error))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the job's error, never lost
        traceback.print_exc()
        return _error(error)


def _compiling_ended(task: Task) -> dict[str, Any] | None:
    """Compile the kernels first, where they are not; the event where whoever did it was killed, as for a handler."""
    from tipoff.forecast.compiled import compile_first

    try:
        compile_first(task.deadline - time.monotonic())
    except subprocess.CalledProcessError as error:
        if error.returncode >= 0:
            raise
        name = signal.Signals(-error.returncode).name
        return failed("killed", f"the process that compiles was ended by {name}", "compiled", transient=True)
    return None


def load(run: str) -> Callable[[Any], Any]:
    """The function that "module:function" names."""
    module, _, name = run.partition(":")
    handler: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
    return handler


def failed(kind: str, message: str, where: str, *, transient: bool = False) -> dict[str, Any]:
    """The event of a failure."""
    error = {"kind": kind, "message": message[:2000], "where": where}
    return {"outcome": "failed", "transient": transient, "error": error}


def _error(error: Exception) -> dict[str, Any]:
    import psycopg

    from tipoff.errors import ConflictError, TipoffError, TransientArtifactError, TransientUpstreamError
    from tipoff.jobs.work import StepError

    where = _where(error)
    if isinstance(error, StepError):
        message, cause = str(error), error.cause
        where = _where(cause)
    else:
        message, cause = str(error), error
    passing = (
        TransientUpstreamError, TransientArtifactError, ConflictError, psycopg.OperationalError,
        psycopg.InterfaceError,
    )  # fmt: skip
    kind = _snake(type(cause).__name__) if isinstance(cause, TipoffError | psycopg.Error) else "unexpected"
    if kind == "unexpected" and not isinstance(error, StepError):
        message = f"{type(cause).__name__}: {message}"
    return failed(kind, message, where, transient=isinstance(cause, passing))


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _where(error: BaseException) -> str:
    """The innermost place outside the interpreter's own library."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if "site-packages" not in frame.filename and "/lib/python" not in frame.filename:
            return f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
    return "unknown"
