"""One-service mode: the web process keeps one worker running beside it, as a process of its own.

The worker is `python -m tipoff worker` with its output in the same log. It is started once the database has answered,
again with a growing wait when it ends, and told to stop with the web process. One whose web process is killed notices
by the end of its standard input and, on Linux, by a signal: it hands its jobs back and ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import structlog

from tipoff.jobs.forked import PR_SET_PDEATHSIG, prctl

GRACE = 8.0
"""seconds that jobs get to finish once it stops: platforms kill some 30 s after they asked"""
LAST = 7.0
"""seconds after that in which it writes what became of them"""
WAITS = (1.0, 60.0)
"""first and longest wait in seconds before it is started again"""
STEADY = 60.0
"""seconds after which one that ends is no longer one that cannot start"""
COMMAND = (sys.executable, "-m", "tipoff", "worker", "--concurrency", "1", "--grace", f"{GRACE:g}", "--beside")


class WorkerBeside:
    """Keeps the worker running; `first` is set once it may be started."""

    def __init__(self, first: threading.Event) -> None:
        self._first, self._stop = first, threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._log = structlog.get_logger("tipoff.beside")
        self._thread = threading.Thread(target=self._keep, name="worker beside", daemon=True)

    def start(self) -> None:
        """Keep it running from now on."""
        self._thread.start()

    def tell(self) -> None:
        """It is to stop; returns at once."""
        with self._lock:
            told, process = self._stop.is_set(), self._process
            self._stop.set()
        self._first.set()
        if process is not None and not told:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Tell it, and wait until it has ended, for a while."""
        self.tell()
        self._thread.join(GRACE + LAST)
        process = self._process
        if process is not None and process.poll() is None:
            self._log.warning("the worker beside did not end when told: it is killed", pid=process.pid)
            process.kill()
            self._thread.join(1.0)

    def _keep(self) -> None:
        """In one thread from start to end: a worker is signalled when the thread that started it ends."""
        self._first.wait()
        wait = WAITS[0]
        while not self._stop.is_set():
            begun = time.monotonic()
            code = self._run_once()
            if self._stop.is_set():
                return
            wait = WAITS[0] if time.monotonic() - begun >= STEADY else wait
            self._log.warning("the worker beside ended: it is started again", code=code, seconds=wait)
            self._stop.wait(wait)
            wait = min(WAITS[1], 2 * wait)

    def _run_once(self) -> int:
        """Its exit code; a session of its own, so that Ctrl-C reaches it by us alone."""
        with self._lock:
            if self._stop.is_set():
                return 0
            process = self._process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, start_new_session=True)
        self._log.info("a worker runs beside", pid=process.pid)
        with process:
            return process.wait()


def end_with_parent() -> None:
    """From now on a signal comes when the process that started this one is gone (Linux); maybe several times."""
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def when_left(left: Callable[[], object], patience: float = LAST) -> None:
    """Call `left` once standard input ends, as whoever held it is gone; end hard where that does not end it."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        left()
        time.sleep(patience)
        os._exit(1)

    threading.Thread(target=watch, name="left alone", daemon=True).start()
