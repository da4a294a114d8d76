"""A worker that works off what is due and ends: for machines that exist only while there is work."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.jobs import JOBS, ROOT, enqueue, job, workers
from tests.web import rows
from tipoff.storage.pool import Pool


def drained(dsn: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`tipoff worker --drain-and-exit`, once it has ended."""
    environment = {
        **os.environ, "DATABASE_URL": dsn, "TIPOFF_HOME": str(folder), "PYTHONPATH": str(ROOT),
        "TIPOFF_OWNER_DATABASE_URL": dsn.replace("user=tipoff_app", "user=postgres"),
        "TIPOFF_JOB_MODULES": "tests.job_types",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "tipoff", "worker", "--drain-and-exit", *arguments], env=environment, cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What it says with --json."""
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_runs_what_is_due_and_nothing_else(effects: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A machine that is paid for while it waits; a job that is begun before its time; a schedule fired twice."""
    done = [enqueue(effects, "effect", n=n) for n in range(12)]
    failing, other = enqueue(effects, "wrong"), enqueue(effects, "nothing")
    with effects.connection() as connection:
        at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
        later = JOBS.enqueue(connection, "effect", {"n": 99}, run_after=at).id
        connection.execute(
            "insert into job_schedules (name, type, params, cron, next_at) "
            "values ('due', 'nothing', '{}', '* * * * *', now() - interval '1 minute')"
        )
    found = said(drained(application_dsn, tmp_path, "--types", "effect,wrong", "--concurrency", "3", "--json"))
    assert found == {"ran": 13, "completed": 12, "failed": 1}
    assert {job(effects, one).status for one in done} == {"completed"}
    assert [job(effects, one).status for one in (failing, later, other)] == ["failed", "pending", "pending"]
    assert rows(effects, "select count(*) from job_queue") == [(15,)]
    assert rows(effects, "select count(*) from job_workers") == [(0,)]
    again = drained(application_dsn, tmp_path)
    assert (again.returncode, '"ran 1 jobs: 1 completed"' in again.stdout) == (0, True), again.stdout
    assert '"nothing was due"' in drained(application_dsn, tmp_path).stdout


def test_it_waits_for_its_own_jobs_alone(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """One that ends in the middle of its job, or waits for what another worker does."""
    with workers(application_dsn, tmp_path, 1, "--no-schedules", "--grace", "0", "--types", "only_one"):
        theirs = enqueue(pool, "only_one", seconds=60)
        mine = enqueue(pool, "sleep", seconds=1.5)
        found = said(drained(application_dsn, tmp_path, "--types", "sleep,only_one", "--grace", "0.2", "--json"))
        assert found["completed"] == found["ran"] == 1
        assert (job(pool, mine).status, job(pool, theirs).status) == ("completed", "running")


def test_what_its_jobs_ask_for_is_due_too(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A job that failed for a passing reason and is not due again yet keeps it waiting for ever."""
    enqueue(pool, "passing")
    found = said(drained(application_dsn, tmp_path, "--types", "passing", "--json"))
    retried = found["retried"]  # its next attempt is due 0.05 s later, which may be before the last look
    assert found["ran"] == retried + found.get("completed", 0)
    assert rows(pool, "select attempt, status in ('pending', 'completed') from job_queue") == [(found["ran"], True)]


def test_json_is_for_what_ends(application_dsn: str, tmp_path: Path) -> None:
    """A worker whose log is nowhere."""
    done = subprocess.run(
        [sys.executable, "-m", "tipoff", "worker", "--json"], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": application_dsn}, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, "--drain-and-exit" in done.stderr) == (1, True)
