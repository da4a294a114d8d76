"""Real workers for tests: processes of `tipoff worker`, and waiting for what they do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil

from tests import job_types
from tipoff.domain.job import Job
from tipoff.jobs.service import JobService
from tipoff.jobs.types import job_types as known
from tipoff.storage.pool import Pool

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
JOBS = JobService(known([job_types.__name__]))


def eventually(ask: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """What `ask` answers once that is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return answer


class WorkerProcess:
    """A `tipoff worker` of its own, with its output in a file."""

    def __init__(self, dsn: str, folder: Path, *arguments: str, **settings: str) -> None:
        self.log = folder / f"worker-{uuid.uuid4().hex[:8]}.log"
        environment = {
            **os.environ, "DATABASE_URL": dsn,
            "TIPOFF_OWNER_DATABASE_URL": dsn.replace("user=tipoff_app", "user=postgres"),
            "TIPOFF_HOME": str(folder), "PYTHONPATH": str(ROOT),
            "TIPOFF_JOB_MODULES": "tests.job_types", **settings,
        }  # fmt: skip
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tipoff", "worker", *arguments], env=environment, cwd=folder, stdout=out,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def output(self) -> str:
        """What it said so far."""
        return self.log.read_text()

    def ready(self) -> None:
        """Wait until it takes jobs."""
        eventually(lambda: "runs " in self.output or self.process.poll() is not None, "the worker to start")
        assert self.process.poll() is None, self.output

    def family(self) -> list[int]:
        """Its guards and runners."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        return []

    def signal(self, number: int, children: bool = False) -> None:
        """Signal it, and with `children` everything below it."""
        for pid in [self.pid, *(self.family() if children else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        """End it, gently first."""
        self.signal(signal.SIGCONT, children=True)
        if self.process.poll() is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def workers(dsn: str, folder: Path, count: int, *arguments: str, **settings: str) -> Iterator[list[WorkerProcess]]:
    """That many workers, ended at the end."""
    made = [WorkerProcess(dsn, folder, *arguments, **settings) for _ in range(count)]
    try:
        for one in made:
            one.ready()
        yield made
    finally:
        for one in made:
            one.stop()


def enqueue(pool: Pool, name: str, **params: object) -> uuid.UUID:
    """A job that waits."""
    with pool.connection() as connection:
        return JOBS.enqueue(connection, name, params).id


def job(pool: Pool, job_id: uuid.UUID) -> Job:
    """The job as it is now."""
    with pool.connection() as connection:
        return JOBS.get(connection, job_id)


def ended(pool: Pool, job_id: uuid.UUID, seconds: float = 30.0) -> Job:
    """The job once it has ended."""
    eventually(lambda: job(pool, job_id).status.final, f"job {job_id} to end", seconds)
    return job(pool, job_id)


def running(pool: Pool, job_id: uuid.UUID, saying: str = "") -> Job:
    """The job once it runs (and says so)."""
    eventually(
        lambda: (j := job(pool, job_id)).status == "running" and j.message.startswith(saying), f"job {job_id} to run"
    )
    return job(pool, job_id)


def alive(pid: int) -> bool:
    """Whether that process runs (a zombie does not)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def guards(worker: WorkerProcess) -> list[int]:
    """Its guards' processes; one that is just being started is none: frozen then, it holds whoever starts it."""
    found = []
    for child in psutil.Process(worker.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "tipoff.jobs.guard" in child.cmdline():
                found.append(child.pid)
    return found


def order(pool: Pool) -> list[int]:
    """Numbers of the effects there are, in the order in which they came."""
    with pool.connection() as connection:
        return [row[0] for row in connection.execute("select n from effects order by at").fetchall()]
