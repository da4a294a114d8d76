"""One place of a worker: a guard process, and the job that runs below it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from tipoff.domain.job import Job
from tipoff.jobs.types import JobType, Secret
from tipoff.settings import Settings

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
    "RENDER_GIT_COMMIT",
)
SECRET_OF = {"supabase_key": Secret.ARTIFACTS, "token": Secret.SOURCE, "token_command": Secret.SOURCE}
NEVER = ("database_url", "owner_database_url")
ENDED = {"outcome": "failed", "transient": True, "error": {
    "kind": "killed", "message": "the process that guards the handler was ended", "where": "worker"}}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment:
    """What child processes are told: where the database is, settings, a fixed time."""

    dsn: str
    owner_dsn: str
    settings: Settings
    at: str | None = None

    def environment(self, secrets: frozenset[Secret]) -> dict[str, str]:
        """Settings as variables; secrets only where the type may have them."""
        found = {}
        for name, field in Settings.model_fields.items():
            value = getattr(self.settings, name)
            if value is None or name in NEVER or (name in SECRET_OF and SECRET_OF[name] not in secrets):
                continue
            alias = field.validation_alias
            found[alias if isinstance(alias, str) else str(alias.choices[0])] = _written(name, value)  # type: ignore[union-attr]
        return found

    def hidden(self) -> list[str]:
        """What must never be shown."""
        values = [getattr(self.settings, name) for name in SECRET_OF]
        texts = [v.get_secret_value() if isinstance(v, SecretStr) else v for v in values if v is not None]
        passwords = [conninfo_to_dict(dsn).get("password") for dsn in (self.dsn, self.owner_dsn)]
        return [str(text) for text in [*texts, *passwords] if text]


def _written(name: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    if name == "source" and str(value).startswith("recorded:"):
        return f"recorded:{Path(str(value).partition(':')[2]).resolve()}"
    return str(value.resolve()) if isinstance(value, Path) else str(value)


class Slot:
    """Runs one job at a time; `on_end` is called in the event loop with what became of it."""

    def __init__(self, deployment: Deployment, on_end: Callable[[Slot, Job, dict[str, Any]], None]) -> None:
        self._deployment, self._on_end = deployment, on_end
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.job: Job | None = None
        self.type: JobType | None = None
        self.progress: tuple[float, str] | None = None
        self.lines: list[str] = []
        self.logged = 0
        self.stopping = ""
        self._hidden = deployment.hidden()

    @property
    def pid(self) -> int | None:
        """The guard's process, if there is one."""
        return self._process.pid if self._process is not None else None

    async def start(self, job: Job, job_type: JobType, lease: float) -> None:
        """Begin `job`; `lease` is the monotonic moment at which it must have ended unless told otherwise.

        Raises OSError when no process can be started.
        """
        self.job, self.type, self.progress, self.lines, self.logged, self.stopping = job, job_type, None, [], 0, ""
        if self._process is None or self._process.returncode is not None:
            try:
                await self._spawn()
            except OSError:
                self.job = None
                raise
        d = self._deployment
        self._tell(
            {
                "run": {
                    "id": str(job.id), "token": job.token, "attempt": job.attempt, "max_attempts": job.max_attempts,
                    "type": job.type, "run": job_type.run, "params": job.params, "seconds": job_type.seconds,
                    "megabytes": job_type.megabytes, "reuse": job_type.reuse, "lease": lease,
                    "deadline": time.monotonic() + job_type.seconds, "dsn": d.dsn,
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
            self._tell({"stop": why})

    def abandon(self) -> None:
        """The job is another attempt's now: end the handler at once."""
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
        _sweep(process.pid)
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=5)

    async def _spawn(self) -> None:
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment |= {
            "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        }  # fmt: skip
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tipoff.jobs.guard", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            start_new_session=True, env=environment, cwd="/", limit=LINE_LIMIT,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101
        while (line := await process.stdout.readline()).endswith(b"\n"):
            event = json.loads(line)
            if "progress" in event:
                share, text = event["progress"]
                self.progress = (share if 0 <= share <= 1 else 0.0, self._clean(text))
            elif "log" in event:
                self.lines += [self._clean(text) for text in event["log"]]
            elif "end" in event:
                self._end(event["end"])
        await process.wait()
        _sweep(process.pid)
        if self._process is process and self.job is not None:
            self._end({**ENDED, "peak_mb": 0})

    def _end(self, event: dict[str, Any]) -> None:
        job, self.job = self.job, None
        if "error" in event:
            event["error"] = {name: self._clean(text) for name, text in event["error"].items()}
        if "message" in event:
            event["message"] = self._clean(event["message"])
        if job is not None:
            self._on_end(self, job, event)

    def _clean(self, text: str) -> str:
        """Without secrets, and without what Postgres cannot hold: NUL and halves of surrogate pairs."""
        text = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text

    def _tell(self, command: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None and process.returncode is None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write((json.dumps(command) + "\n").encode())


def _sweep(session: int) -> None:
    """End what is left of a guard's session: where the guard itself was killed nobody else does."""
    for pid in _in_session(session, psutil.pids()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _in_session(session: int, pids: Sequence[int]) -> list[int]:
    found = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session and pid != session:
                found.append(pid)
    return found
