"""The process between a worker and a handler: it never runs job code, so nothing a handler does can stop it.

It forks a runner for the handler in a process group of its own, passes tasks on, and ends the group when it is told
to, when the time, memory or output allowed is used up, when the lease is about to end, or when its worker is gone
(end of file on standard input). Standard library only. One JSON value a line:

    in   {"run": task}, {"lease": deadline}, {"stop": why}
    out  {"progress": [share, message]}, {"log": [line, ...]}, {"end": outcome}

Deadlines are absolute seconds of the machine's monotonic clock, which the worker shares.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

TERM_GRACE = 0.5
"""seconds between asking a runner to end and ending it"""
WATCH = 0.2
"""seconds between two looks at memory"""
OUTPUT_LIMIT = 16 * 2**20
HEAD_LINES, TAIL_LINES, LINE_LENGTH = 200, 100, 1000
DATA_SLACK = 768 * 2**20
"""private memory that may be mapped but not used (stacks, allocators' arenas) beyond the limit of what is used"""
RETIRE_SHARE = 0.6
"""a runner that has grown to that share of its memory limit is not used again"""
RETIRE_TASKS = 1000
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


class Output:
    """What a runner writes: its first and last lines, and how much it was."""

    def __init__(self) -> None:
        self.head: list[str] = []
        self.tail: list[str] = []
        self.size = self.count = 0
        self._sent = 0
        self._partial = b""

    def take(self, data: bytes) -> None:
        """Take in bytes; a line without end is cut."""
        self.size += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_LENGTH * 4:
            lines, self._partial = [*lines, self._partial], b""
        self.count += len(lines)
        free = max(0, HEAD_LINES - len(self.head))
        self.head += [_text(line) for line in lines[:free]]
        self.tail = (self.tail + [_text(line) for line in lines[free:][-TAIL_LINES:]])[-TAIL_LINES:]

    def unsent(self) -> list[str]:
        """Lines of the head that were not asked for before."""
        lines, self._sent = self.head[self._sent :], len(self.head)
        return lines

    def rest(self) -> list[str]:
        """At the end: what is left, with a note of what was dropped."""
        if self._partial:
            self.take(b"\n")
        dropped = self.count - len(self.head) - len(self.tail)
        note = [f"... {dropped} lines left out ({self.size} bytes were written in all) ..."] if dropped else []
        return [*self.unsent(), *note, *self.tail]


def _text(line: bytes) -> str:
    return line[: LINE_LENGTH * 4].decode(errors="replace").replace("\0", "\ufffd")[:LINE_LENGTH]


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
        """Signal its group and everything below it, wherever that went."""
        below = descendants_of(self.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def in_use(self) -> int:
        """Bytes of memory in use by it and everything below it."""
        return sum(resident(pid) for pid in [self.pid, *descendants_of(self.pid)])

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


class Guard:
    """The loop."""

    def __init__(self) -> None:
        self.runner: Runner | None = None
        self.task: dict[str, Any] | None = None
        self.output = Output()
        self.lease = self.time_limit = float("inf")
        self.kill_at: float | None = None
        self.why: dict[str, Any] | None = None
        self.out = b""
        self._commands = b""
        self._alive = True
        self._selector = selectors.DefaultSelector()
        wake_out, wake_in = os.pipe()
        for fd in (wake_out, wake_in, 0, 1):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._selector.register(0, selectors.EVENT_READ, self._read_commands)
        self._selector.register(wake_out, selectors.EVENT_READ, lambda: os.read(wake_out, 1000))

    def run(self) -> None:
        """Until the worker is gone."""
        while self._alive:
            for key, _ in self._selector.select(self._patience()):
                if self._selector.get_map().get(key.fd) is not None:
                    key.data()
            self._reap()
            self._enforce()
            self._write()
        if self.runner is not None:
            self._finish_runner()

    def _patience(self) -> float | None:
        if self.out:
            return 0.02
        if self.task is None:
            return None
        now = time.monotonic()
        return max(0.0, min(WATCH, self.lease - now, self.time_limit - now, (self.kill_at or now + WATCH) - now))

    def _read_commands(self) -> None:
        try:
            data = os.read(0, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._alive = False
            return
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "lease" in command:
                self.lease = command["lease"]
            elif "stop" in command and self.task is not None:
                self._stop({"outcome": "stopped", "why": command["stop"]})
            elif "run" in command:
                self._start(command["run"])

    def _start(self, task: dict[str, Any]) -> None:
        runner = self.runner
        if runner is not None and (
            runner.job_type != task["type"] or runner.tasks >= RETIRE_TASKS
            or runner.in_use() > RETIRE_SHARE * runner.limit
        ):  # fmt: skip
            self._finish_runner()
        self.task, self.output, self.why, self.kill_at = task, Output(), None, None
        self.lease, self.time_limit = task["lease"], time.monotonic() + task["seconds"]
        if self.runner is None:
            self.runner = Runner(task["type"], task["megabytes"])
            self._selector.register(self.runner.events, selectors.EVENT_READ, self._read_events)
            self._selector.register(self.runner.output, selectors.EVENT_READ, self._read_output)
        self.runner.give(task)

    def _read_output(self) -> None:
        assert self.runner is not None  # noqa: S101
        try:
            data = os.read(self.runner.output, 1 << 18)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(self.runner.output)
            return
        self.output.take(data)
        if self.output.size > OUTPUT_LIMIT and self.why is None:
            self._stop(_failed("output_limit", f"wrote more than {OUTPUT_LIMIT >> 20} MB of output"), at_once=True)

    def _read_events(self) -> None:
        assert self.runner is not None  # noqa: S101
        runner = self.runner
        try:
            data = os.read(runner.events, 1 << 18)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(runner.events)
            return
        *lines, runner.partial = (runner.partial + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if "progress" in event:
                self._say(event)
            elif self.task is not None and event.get("task") == self.task["token"] and "outcome" in event:
                self._over(event)
            if self.runner is not runner:
                return

    def _over(self, event: dict[str, Any]) -> None:
        """The handler came to its end; what it left behind is ended, and counts against it."""
        assert self.runner is not None  # noqa: S101
        if self.runner.output in self._selector.get_map():
            self._read_output()
        left = descendants_of(self.runner.pid)
        if event["outcome"] == "forked":
            event = _failed("forked", "the handler forked this process instead of starting another program")
        elif left and event["outcome"] == "completed":
            event = _failed("left_processes", f"the handler left {len(left)} processes running; they were ended")
        used = peak(self.runner.pid)
        if left or event["outcome"] not in ("completed", "ended") or not self.task or not self.task["reuse"]:
            self._finish_runner()
        self._end(event, used)

    def _stop(self, why: dict[str, Any], at_once: bool = False) -> None:
        if self.why is None:
            self.why, self.kill_at = why, time.monotonic() + (0 if at_once else TERM_GRACE)
            if self.runner is not None and not at_once:
                self.runner.signal(signal.SIGTERM)

    def _enforce(self) -> None:
        if self.task is None or self.runner is None:
            return
        now = time.monotonic()
        if now >= self.lease:
            self.why, self.kill_at = {"outcome": "lease_lost"}, now
        elif now >= self.time_limit:
            self._stop(_failed("timeout", f"took longer than the {self.task['seconds']:g} s allowed"))
        elif self.why is None and self.runner.in_use() > self.runner.limit:
            limit = self.runner.limit >> 20
            self._stop(_failed("out_of_memory", f"used more than the {limit} MB of memory allowed"), at_once=True)
        if self.kill_at is not None and now >= self.kill_at:
            used, why = peak(self.runner.pid), self.why or {"outcome": "stopped"}
            self._finish_runner()
            self._end(why, used)
        elif lines := self.output.unsent():
            self._say({"log": lines})

    def _reap(self) -> None:
        """Wait for whatever ended; a runner that ended by itself in the middle of a task says how."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.runner is not None and pid == self.runner.pid:
                self.runner.status = status
                self._drain()
                if self.task is not None:
                    why = self.why or _death(status)
                    self._finish_runner()
                    self._end(why, 0)
                elif self.runner is not None:
                    self._finish_runner()

    def _drain(self) -> None:
        """Take what an ended runner had still written: its last event counts."""
        for _ in range(200):
            if self.runner is None:
                return
            watched = self._selector.get_map()
            fds = [fd for fd in (self.runner.output, self.runner.events) if fd in watched]
            if not fds:
                return
            before = self.output.size, len(self.runner.partial)
            for fd in fds:
                if self.runner is not None and fd in self._selector.get_map():
                    self._selector.get_map()[fd].data()
            if self.runner is None or before == (self.output.size, len(self.runner.partial)):
                return

    def _finish_runner(self) -> None:
        """End the runner and everything it started, and wait until they are gone."""
        runner = self.runner
        if runner is None:
            return
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            if runner.status is None:
                runner.signal(signal.SIGKILL)
            left = [pid for pid in descendants_of(os.getpid()) if pid != runner.pid]
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                pid, status = os.waitpid(-1, 0 if runner.status is None or left else os.WNOHANG)
            except ChildProcessError:
                break
            if pid == runner.pid:
                runner.status = status
            if pid == 0:
                break
        for fd in (runner.events, runner.output):
            with contextlib.suppress(KeyError):
                self._selector.unregister(fd)
        with contextlib.suppress(OSError):
            while data := os.read(runner.output, 1 << 18):
                self.output.take(data)
                if self.output.size > 2 * OUTPUT_LIMIT:
                    break
        runner.close()
        self.runner = None

    def _end(self, event: dict[str, Any], used: int) -> None:
        self.task = self.kill_at = self.why = None
        lines = self.output.rest()
        if lines:
            self._say({"log": lines})
        self._say({"end": {**event, "peak_mb": used >> 20}})

    def _say(self, event: dict[str, Any]) -> None:
        if "progress" in event and len(self.out) > 1 << 16:
            return
        self.out += (json.dumps(event) + "\n").encode()
        self._write()

    def _write(self) -> None:
        try:
            while self.out:
                self.out = self.out[os.write(1, self.out) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._alive = False


def _failed(kind: str, message: str, *, transient: bool = False, where: str = "guard") -> dict[str, Any]:
    return {
        "outcome": "failed", "transient": transient, "error": {"kind": kind, "message": message, "where": where}
    }  # fmt: skip


def _death(status: int) -> dict[str, Any]:
    """How a runner ended that said nothing."""
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        kind = "killed" if name == "SIGKILL" else "crashed"
        return _failed(kind, f"the handler's process was ended by {name}", transient=True)
    code = os.WEXITSTATUS(status)
    return _failed("exited", f"the handler's process ended itself with exit code {code}, without a result")


if __name__ == "__main__":
    Guard().run()
