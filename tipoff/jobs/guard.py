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
import json
import os
import selectors
import signal
import time
from typing import Any

from tipoff.jobs.forked import PR_SET_CHILD_SUBREAPER, Runner, descendants_of, living, peak, prctl
from tipoff.jobs.output import Output

TERM_GRACE = 0.5
"""seconds between asking a runner to end and ending it"""
WATCH = 0.2
"""seconds between two looks at memory"""
OUTPUT_LIMIT = 16 * 2**20
RETIRE_SHARE = 0.6
"""a runner that has grown to that share of its memory limit is not used again"""
RETIRE_TASKS = 1000


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
        left = living([pid for pid in descendants_of(os.getpid()) if pid != self.runner.pid])
        if event["outcome"] == "forked":
            event = _failed("forked", "the handler forked this process instead of starting another program")
        elif left and event["outcome"] == "completed":
            event = _failed("left_processes", f"the handler left {len(left)} processes running; they were ended")
        if self.why is not None and event["outcome"] == "failed":
            event = self.why  # it was told to end, and stumbled on its way out
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
