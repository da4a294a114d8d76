"""What killed guards leave behind, told by a mark in its environment."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

MARK = "TIPOFF_GUARD"
"""variable by which whatever a guard's handlers start can be told"""


def sweep(mark: str = "") -> None:
    """End what killed guards left behind: processes that carry `mark` (or any mark) of which no guard is left."""
    marked = {pid: found for pid in psutil.pids() if (found := _mark_of(pid)) and mark in ("", found)}
    guarded = {found for pid, found in marked.items() if _is_guard(pid)}
    for pid, found in marked.items():
        if found not in guarded:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _mark_of(pid: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        return str(psutil.Process(pid).environ().get(MARK, ""))
    return ""


def _is_guard(pid: int) -> bool:
    """Whether it is a guard itself, which alone leads a session of its own and began as one."""
    with contextlib.suppress(psutil.Error, OSError):
        return os.getsid(pid) == pid and psutil.Process(pid).cmdline()[-2:] == ["-m", "tipoff.jobs.guard"]
    return False
