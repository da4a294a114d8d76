"""A worker on a new disk: what needs compiled kernels waits until they are, everything else does not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import psutil

from tests.jobs import WorkerProcess, ended, enqueue, eventually, job
from tipoff.forecast.compiled import cache_folder
from tipoff.storage.pool import Pool


def test_a_new_disk(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """Jobs that hang while a worker compiles, one that compiles beside its data, or a compiler that is left over."""
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    one = WorkerProcess(application_dsn, tmp_path, "--no-schedules", **cache)
    try:
        one.ready()
        forecast = enqueue(pool, "prediction_generation", require_model=False)
        eventually(lambda: _compilers(one), "it to compile")
        assert ended(pool, enqueue(pool, "nothing")).status == "completed"
        [compiler] = _compilers(one)
        assert job(pool, forecast).status == "pending"
        begun = time.monotonic()
        one.signal(signal.SIGTERM)
        assert one.process.wait(20) == 0
        assert time.monotonic() - begun < 5.0
        assert not compiler.is_running()
    finally:
        one.stop()
    if "TIPOFF_CHAOS" not in os.environ:
        _almost(tmp_path / "cache")
    another = WorkerProcess(application_dsn, tmp_path, "--no-schedules", **cache)
    try:
        assert ended(pool, forecast, 120).status == "completed"
        assert "the kernels were compiled" in another.output
    finally:
        another.stop()
    third = WorkerProcess(application_dsn, tmp_path, "--no-schedules", **cache)
    try:
        third.ready()
        forecast = enqueue(pool, "prediction_generation", require_model=False)
        assert ended(pool, forecast).status == "completed"
        assert "the kernels were compiled" not in third.output
    finally:
        third.stop()


def _almost(cache: Path) -> None:
    """What this machine has compiled, as if that had been ended before its smallest piece."""
    made = cache / cache_folder().name
    shutil.copytree(cache_folder(), made, dirs_exist_ok=True, ignore=shutil.ignore_patterns("compiled-*", "lock"))
    min(made.rglob("*.nbc"), key=lambda path: path.stat().st_size).unlink()


def _compilers(worker: WorkerProcess) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(worker.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "tipoff.forecast.warm" in process.cmdline():
                found.append(process)
    return found
