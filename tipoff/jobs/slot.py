"""One place of a worker: a guard process, and the job that runs below it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tipoff.domain.job import Job
from tipoff.jobs.deployment import Deployment
from tipoff.jobs.strays import MARK, sweep
from tipoff.jobs.types import JobType, Secret
from tipoff.logs import Redactor

LINE_LIMIT = 32 * 2**20
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "NUMBA_CACHE_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PGSSLROOTCERT",
    "PGSSLMODE",
    "RENDER_GIT_COMMIT",
)
OVERDUE = 3.0
"""seconds after which a guard that has not ended a handler as it should is taken to hang, and is ended itself"""


def _failed(kind: str, message: str, *, transient: bool = False) -> dict[str, Any]:
    error = {"kind": kind, "message": message, "where": "worker"}
    return {"outcome": "failed", "transient": transient, "error": error}


ENDED = _failed("killed", "the process that guards the handler was ended", transient=True)


class Slot:
    """Runs one job at a time; `on_end` is called in the event loop with what became of it."""

    def __init__(self, deployment: Deployment, on_end: Callable[[Slot, Job, dict[str, Any]], None]) -> None:
        self._deployment, self._on_end = deployment, on_end
        self._process: asyncio.subprocess.Process | None = None
        self._mark = ""
        self._reader: asyncio.Task[None] | None = None
        self.job: Job | None = None
        self.progress: tuple[float, str] | None = None
        self.lines: list[str] = []
        self.logged = 0
        self.stopping = ""
        self._ended_by_us = False
        self._due = float("inf")
        self._late: dict[str, Any] = ENDED
        self._redactor = Redactor(deployment.hidden())

    async def start(self, job: Job, job_type: JobType, lease: float) -> None:
        """Begin `job`; `lease` is the monotonic moment at which it must have ended unless told otherwise.

        Raises OSError when no process can be started.
        """
        self.job, self.progress, self.lines, self.logged, self.stopping = job, None, [], 0, ""
        if self._process is None or self._process.returncode is not None:
            try:
                await self._spawn()
            except OSError:
                self.job = None
                raise
        self._late = _failed("timeout", f"took longer than the {job_type.seconds:g} s allowed")
        self._due = time.monotonic() + job_type.seconds + OVERDUE
        d = self._deployment
        self._tell(
            {
                "run": {
                    "id": str(job.id), "token": job.token, "attempt": job.attempt, "max_attempts": job.max_attempts,
                    "type": job.type, "run": job_type.run, "kernels": job_type.kernels, "params": job.params,
                    "seconds": job_type.seconds, "megabytes": job_type.megabytes, "reuse": job_type.reuse,
                    "lease": lease, "deadline": time.monotonic() + job_type.seconds, "dsn": d.dsn,
                    "owner_dsn": d.owner_dsn if Secret.OWNER in job_type.secrets else None,
                    "environment": d.environment(job_type.secrets), "at": d.at,
                }
            }
        )  # fmt: skip

    def renew(self, lease: float) -> None:
        """The lease was extended."""
        self._tell({"lease": lease})

    def stop(self, why: str) -> None:
        """End the handler: TERM, then KILL."""
        if not self.stopping:
            self.stopping = why
            self._late = {"outcome": "stopped"}
            self._due = min(self._due, time.monotonic() + OVERDUE)
            self._tell({"stop": why})

    def enforce(self) -> None:
        """Where the guard itself hangs and has not ended the handler long after it should, end the guard."""
        if self.job is not None and time.monotonic() > self._due:
            self._end_guard()

    def abandon(self) -> None:
        """The job is another attempt's now: end the handler at once."""
        self._late = {"outcome": "lease_lost"}
        self._due = min(self._due, time.monotonic() + OVERDUE)
        self._tell({"lease": 0.0})

    def take_progress(self) -> tuple[float, str] | None:
        """The latest progress, if it has not been taken yet."""
        said, self.progress = self.progress, None
        return said

    def take_lines(self) -> list[tuple[int, str]]:
        """Numbered lines of output that have not been kept yet."""
        lines = [(self.logged + i, line) for i, line in enumerate(self.lines)]
        self.logged, self.lines = self.logged + len(lines), []
        return lines

    async def close(self) -> None:
        """End the guard and everything below it."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(8):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        sweep(self._mark)
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=5)

    async def _spawn(self) -> None:
        package = str(Path(__file__).resolve().parents[2])
        given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        paths = [package, *(str(Path(one).resolve()) for one in given)]
        self._mark = uuid.uuid4().hex
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment |= {
            "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", MARK: self._mark,
            "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        }  # fmt: skip
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tipoff.jobs.guard", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            start_new_session=True, env=environment, cwd="/", limit=LINE_LIMIT,
        )  # fmt: skip
        self._ended_by_us = False
        self._reader = asyncio.create_task(self._read(self._process, self._mark))

    async def _read(self, process: asyncio.subprocess.Process, mark: str) -> None:
        """Take what the guard says until it ends; one that says what makes no sense is ended, and the job with it."""
        assert process.stdout is not None  # noqa: S101
        try:
            while (line := await process.stdout.readline()).endswith(b"\n"):
                self._heard(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._late = _failed("unexpected", f"what its process said makes no sense: {error}")
            self._end_guard()
        await process.wait()
        sweep(mark)
        if self._process is process and self.job is not None:
            self._end({**(self._late if self._ended_by_us else ENDED), "peak_mb": 0})

    def _heard(self, event: dict[str, Any]) -> None:
        if "progress" in event:
            share, text = event["progress"]
            self.progress = (share if 0 <= share <= 1 else 0.0, self._clean(text))
        elif "log" in event:
            self.lines += [self._clean(text) for text in event["log"]]
        elif "end" in event:
            self._end(self._cleaned(event["end"]))

    def _end(self, event: dict[str, Any]) -> None:
        job, self.job, self._due = self.job, None, float("inf")
        if job is not None:
            self._on_end(self, job, event)

    def _end_guard(self) -> None:
        self._ended_by_us, self._due = True, float("inf")
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _cleaned(self, event: dict[str, Any]) -> dict[str, Any]:
        if "error" in event:
            event["error"] = {name: self._clean(text) for name, text in event["error"].items()}
        if "message" in event:
            event["message"] = self._clean(event["message"])
        if "result" in event:
            event["result"] = self._redactor.value(event["result"])
        return event

    def _clean(self, text: str) -> str:
        """Without secrets, and without what Postgres cannot hold: NUL and halves of surrogate pairs."""
        return self._redactor.text(text.replace("\0", "\ufffd").encode("utf-8", "replace").decode())

    def _tell(self, command: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None and process.returncode is None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write((json.dumps(command) + "\n").encode())
