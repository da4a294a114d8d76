"""`tipoff up` while its private database is killed: it is started again and the work goes on."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.acceptance.test_command_line import environment, home, tipoff
from tests.jobs import ROOT, eventually
from tipoff.storage.embedded import PrivatePostgres

__all__ = ["home"]


def test_up_outlives_its_database(home: Path, tmp_path: Path) -> None:
    """An installation that has to be started by hand after every hiccup."""
    more = {"TIPOFF_SOURCE": "league", "TIPOFF_JOB_MODULES": "tests.job_types", "PYTHONPATH": str(ROOT)}
    said = tmp_path / "said"
    with said.open("w") as out, subprocess.Popen(
        [sys.executable, "-m", "tipoff", "up", "--days", "4", "--port", "0"], stdout=out, stderr=out,
        env=environment(home, **more)
    ) as process:  # fmt: skip
        try:
            eventually(lambda: "data_pipeline completed" in said.read_text(), "the first pipeline", 120)
            pid = PrivatePostgres(home).data / "postmaster.pid"
            server = psutil.Process(int(pid.read_text().split()[0]))
            for one in [server, *server.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            eventually(lambda: "the database is back" in said.read_text(), "the database to be back", 60)
            job = tipoff(home, "jobs", "run", "nothing", "--detach", **more).stdout.strip()
            eventually(lambda: f"nothing {job} attempt 1: completed" in said.read_text(), "a job to be done", 30)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert process.returncode == 0
    assert "the database is away" in said.read_text()
    assert "stopped cleanly" in said.read_text()
    assert "Traceback" not in said.read_text()
