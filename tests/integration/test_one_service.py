"""One-service mode: a worker beside the web process that lives and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.jobs import ROOT, alive, ended, enqueue, eventually, job, running
from tests.web import WebProcess, free_port, rows
from tipoff.jobs import beside
from tipoff.jobs.beside import WorkerBeside
from tipoff.storage.pool import Pool

ONE = {
    "TIPOFF_ONE_SERVICE": "true", "TIPOFF_JOB_MODULES": "tests.job_types", "TIPOFF_SOURCE": "league",
    "TIPOFF_LEAGUE_URL": "http://127.0.0.1:9/v1",
}  # fmt: skip


@pytest.fixture
def web(application_dsn: str, tmp_path: Path) -> Iterator[WebProcess]:
    """A web process that has a worker beside it."""
    process = WebProcess(application_dsn, tmp_path, **ONE)
    try:
        yield process
    finally:
        process.stop()


def worker_of(web: WebProcess, pool: Pool) -> int:
    """The worker's process, once it has said that it lives."""
    eventually(lambda: rows(pool, "select 1 from job_workers"), "the worker to say so")
    [[pid]] = rows(pool, "select pid from job_workers order by seen_at desc limit 1")
    assert pid in [child.pid for child in psutil.Process(web.process.pid).children()]
    return int(pid)


def test_it_works_and_ends_with_the_web_process(web: WebProcess, pool: Pool) -> None:
    """A service without a worker; machine learning in the web process; a worker that stays behind."""
    worker = worker_of(web, pool)
    done = ended(pool, enqueue(pool, "nothing"))
    assert done.status == "completed"
    fresh = "/api/system/health?fresh=true"
    eventually(lambda: "workers: 1" in str(web.get(fresh).json()["checks"]["job_queue"]), "its worker to be counted")
    maps = Path(f"/proc/{web.process.pid}/maps").read_text()
    assert "llvmlite" not in maps
    assert "/scipy/" not in maps
    last = enqueue(pool, "sleep", seconds=3)
    running(pool, last, "sleeping")
    below = [worker, *(child.pid for child in psutil.Process(worker).children(recursive=True))]
    assert web.stop() == 0
    assert job(pool, last).status == "completed"  # it was waited for
    assert not [pid for pid in below if alive(pid)]
    log = web.log.read_text()
    assert f'"pid": {worker}' in log
    assert 0 < log.index(" stopped") < log.index("Application shutdown complete")  # the worker's own words come first
    assert rows(pool, "select 1 from job_workers") == []


def test_one_that_is_killed_is_started_again(web: WebProcess, pool: Pool) -> None:
    """A service that serves pages and forecasts nothing any more."""
    first = worker_of(web, pool)
    os.kill(first, signal.SIGKILL)
    web.until_logged("the worker beside ended")
    eventually(lambda: rows(pool, f"select 1 from job_workers where pid <> {first}"), "another one")
    assert ended(pool, enqueue(pool, "nothing")).status == "completed"


def test_a_killed_web_process_leaves_no_worker_behind(web: WebProcess, pool: Pool) -> None:
    """Two workers on a machine that has room for one; a job that is lost with them."""
    worker = worker_of(web, pool)
    job_id = enqueue(pool, "sleep", seconds=60)
    running(pool, job_id, "sleeping")
    below = [worker, *(child.pid for child in psutil.Process(worker).children(recursive=True))]
    web.process.kill()
    eventually(lambda: not [pid for pid in below if alive(pid)], "all to end", 10)
    left = job(pool, job_id)
    assert (left.status, left.attempt) == ("pending", 0), web.log.read_text()  # handed back, at no cost


def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A web process that waits for ever, and is killed with answers that had begun."""
    deaf = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    monkeypatch.setattr(beside, "COMMAND", (sys.executable, "-c", deaf))
    monkeypatch.setattr(beside, "GRACE", 0.2)
    monkeypatch.setattr(beside, "LAST", 0.2)
    first = threading.Event()
    kept = WorkerBeside(first)
    kept.start()
    assert kept._process is None
    first.set()
    eventually(lambda: "deaf" in capfd.readouterr().out, "it to be deaf")
    process = kept._process
    assert process is not None
    begun = time.monotonic()
    kept.stop()
    assert time.monotonic() - begun < 3
    assert process.poll() is not None


def test_one_that_cannot_start_is_tried_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A machine busy with starting what ends at once."""
    monkeypatch.setattr(beside, "COMMAND", (sys.executable, "-c", "print('tried', flush=True)"))
    monkeypatch.setattr(beside, "WAITS", (0.1, 60.0))
    first = threading.Event()
    first.set()
    kept = WorkerBeside(first)
    kept.start()
    tried = ""

    def often() -> bool:
        nonlocal tried
        tried += capfd.readouterr().out
        return tried.count("tried\n") >= 4

    begun = time.monotonic()
    eventually(often, "four tries")
    assert time.monotonic() - begun > 0.1 + 0.2 + 0.4
    kept.stop()


def test_several_web_processes_are_refused(tmp_path: Path) -> None:
    """A worker for each of them, on an instance that has room for one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "backend.app.api:app", "--port", str(free_port()), "--workers", "2"],
        env={**os.environ, **ONE, "PYTHONPATH": str(ROOT), "TIPOFF_HOME": str(tmp_path)}, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("error:"):
                break
        assert "TIPOFF_ONE_SERVICE" in line
        assert "without --workers" in line
    finally:
        process.terminate()
        process.communicate(timeout=30)
