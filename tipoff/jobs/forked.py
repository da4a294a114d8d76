"""A runner as its guard sees it: a forked process with all that it starts. Standard library only."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

DATA_SLACK = 768 * 2**20
"""private memory that may be mapped but not used (stacks, allocators' arenas) beyond the limit of what is used"""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LINUX = sys.platform.startswith("linux")


def prctl(option: int, value: int) -> None:
    """Linux's prctl; nothing elsewhere, where deadlines and end of file do its work later."""
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def children_of(pid: int) -> list[int]:
    """Direct children of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def descendants_of(pid: int) -> list[int]:
    """Every process below `pid`."""
    found = []
    waiting = children_of(pid)
    while waiting:
        found += waiting
        waiting = [below for child in waiting for below in children_of(child)]
    return found


def living(pids: list[int]) -> list[int]:
    """Those that still run, and do not only wait to be noted by their parent."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append(pid)
    return found


def resident(pid: int) -> int:
    """Bytes of memory a process has in use, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def peak(pid: int) -> int:
    """The most memory it has had in use since the mark was reset, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return 0


class Runner:
    """A forked process for handlers of one type."""

    def __init__(self, job_type: str, megabytes: int) -> None:
        self.job_type, self.limit, self.tasks = job_type, megabytes * 2**20, 0
        task_out, self.task_in = os.pipe()
        self.events, event_in = os.pipe()
        self.output, output_in = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _become_runner(task_out, event_in, output_in, self.limit)
        for fd in (task_out, event_in, output_in):
            os.close(fd)
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)
        for fd in (self.events, self.output):
            os.set_blocking(fd, False)
        self.status: int | None = None
        self.partial = b""

    def give(self, task: dict[str, Any]) -> None:
        """Hand over a task; one that cannot be handed over shows as the runner's end."""
        self.tasks += 1
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        data = (json.dumps(task) + "\n").encode()
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self.task_in, data) :]

    def signal(self, number: int) -> None:
        """Signal its group and everything it started, wherever that went (what lost its parent is the guard's)."""
        below = [pid for pid in descendants_of(os.getpid()) if pid != self.pid]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def in_use(self) -> int:
        """Bytes of memory in use by it and everything it started."""
        return sum(resident(pid) for pid in descendants_of(os.getpid()))

    def close(self) -> None:
        """Close the pipes."""
        for fd in (self.task_in, self.events, self.output):
            os.close(fd)


def _become_runner(task_out: int, event_in: int, output_in: int, limit: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if LINUX:
            resource.setrlimit(resource.RLIMIT_DATA, (limit + DATA_SLACK, limit + DATA_SLACK))
        nothing = os.open(os.devnull, os.O_RDONLY)
        tasks, events = os.dup(task_out), os.dup(event_in)
        for source, target in ((nothing, 0), (output_in, 1), (output_in, 2)):
            os.dup2(source, target)
        keep = {0, 1, 2, tasks, events}
        for fd in range(3, 64):
            if fd not in keep:
                with contextlib.suppress(OSError):
                    os.close(fd)
        from tipoff.jobs.runner import serve

        serve(tasks, events)
    finally:
        os._exit(70)
