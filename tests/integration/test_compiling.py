"""The process that compiles the kernels for a job, where that could not be done when the worker began."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil

from tests.jobs import enqueue, eventually, job, workers
from tipoff.storage.pool import Pool


def compilers(cache: Path) -> list[int]:
    """Processes that compile into that folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "tipoff.forecast.warm" in process.cmdline() and process.environ().get("NUMBA_CACHE_DIR") == str(cache):
                found.append(process.pid)
    return found


def test_it_is_killed(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A job that is lost for good, because memory ran out for a moment while its kernels were compiled."""
    cache = tmp_path / "kernels"
    arguments = ("--no-schedules", "--concurrency", "1")
    with workers(application_dsn, tmp_path, 1, *arguments, NUMBA_CACHE_DIR=str(cache)):
        [first] = eventually(lambda: compilers(cache), "the worker to compile")
        made = enqueue(pool, "prediction_generation")
        os.kill(first, signal.SIGKILL)
        [second] = eventually(lambda: [pid for pid in compilers(cache) if pid != first], "the job to compile")
        os.kill(second, signal.SIGKILL)
        eventually(lambda: job(pool, made).error, "its end to be noticed")
        lost = job(pool, made)
        assert (lost.status.final, (lost.error or {})["kind"]) == (False, "killed")
