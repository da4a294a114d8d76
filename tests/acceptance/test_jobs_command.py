"""`tipoff jobs` and `tipoff worker` as people type them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.acceptance.test_command_line import environment, home, quick, tipoff
from tests.jobs import ROOT, eventually

__all__ = ["home"]

MORE = {"TIPOFF_JOB_MODULES": "tests.job_types", "PYTHONPATH": str(ROOT), "TIPOFF_SOURCE": "league"}


def test_long_work_from_the_command_line(home: Path) -> None:
    """Commands that only work in tests; answers that scripts cannot read."""
    detached = tipoff(home, "jobs", "run", "sleep", "-p", "seconds=0.2", "--detach", **MORE).stdout.strip()
    waiting = json.loads(quick(home, "jobs", "list", "--json", **MORE).stdout)
    assert [(j["job_id"], j["job_type"], j["status"]) for j in waiting] == [(detached, "sleep", "pending")]
    with subprocess.Popen(
        [sys.executable, "-m", "tipoff", "worker", "--no-schedules"], env=environment(home, **MORE),
        stderr=subprocess.PIPE, text=True,
    ) as worker:  # fmt: skip
        try:
            done = json.loads(tipoff(home, "jobs", "run", "sleep", "--param", "seconds=0.2", "--json", **MORE).stdout)
            assert (done["status"], done["progress"], done["attempt"]) == ("completed", 100, 1)
            failed = quick(home, "jobs", "run", "wrong", "--json", check=False, **MORE)
            assert failed.returncode == 1
            assert "this can never work" in failed.stderr
            wrong = json.loads(failed.stdout)
            assert wrong["error"]["kind"] == "input_error"
            assert "waits again" in quick(home, "jobs", "retry", wrong["job_id"][:8], **MORE).stdout
            shown = quick(home, "jobs", "show", wrong["job_id"], **MORE).stdout
            assert "InputError: this can never work" in shown
            slow = quick(home, "jobs", "run", "deaf", "--detach", **MORE).stdout.strip()

            def state() -> str:
                return str(json.loads(quick(home, "jobs", "show", slow, "--json", **MORE).stdout)["status"])

            eventually(lambda: state() == "running", "it to run")
            assert "asked to stop" in quick(home, "jobs", "cancel", slow, **MORE).stdout
            eventually(lambda: state() == "cancelled", "it to be cancelled")
        finally:
            worker.terminate()
            _, said = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert "Traceback" not in said
    stats = json.loads(quick(home, "jobs", "stats", "--json", **MORE).stdout)
    assert {row["type"] for row in stats["types"]} == {"sleep", "wrong", "deaf"}
    assert "deaf" in tipoff(home, "jobs", "watch", **MORE).stdout
    inline = tipoff(home, "jobs", "run", "nothing", "--inline", **MORE)
    assert "completed" in inline.stdout
    assert "quick_data_refresh" in quick(home, "jobs", "schedule", "list", **MORE).stdout
    changed = quick(home, "jobs", "schedule", "set", "refresh", "--cron", "*/7 * * * *", **MORE).stdout
    assert "quick_data_refresh at */7 * * * *" in changed
    gone = json.loads(quick(home, "jobs", "cleanup", "--days", "0", "--json", **MORE).stdout)
    assert gone["deleted"] >= 4
    for arguments, message in (
        (("jobs", "run", "magic"), "there is no job type 'magic'"),
        (("jobs", "run", "sleep", "-p", "seconds"), "not of the form name=value"),
        (("jobs", "run", "sleep", "-p", "seconds=-1"), "seconds: input should be greater than or equal to 0"),
        (("jobs", "show", "nothing-here"), "names no job"),
        (("worker", "--types", "magic"), "there is no job type 'magic'"),
        (("jobs", "schedule", "set", "refresh", "--cron", "often"), "is no cron expression"),
    ):
        done_badly = quick(home, *arguments, check=False, **MORE)
        assert done_badly.returncode == 1
        assert message in done_badly.stderr
        assert "Traceback" not in done_badly.stderr
