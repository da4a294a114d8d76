"""SIGTERM: open streams are told to end, and the process exits with 0.

The server (uvicorn) would wait for ever for an open stream or a client that does not read, and raises the signal
again once it has stopped, so that a clean stop looks like a killed process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn

PATIENCE = 8
"""seconds that answers which have begun may still take"""


def on_terminate(told: Callable[[], None]) -> Callable[[], None]:
    """Call `told` when the process is asked to end; returns what takes the handler away again.

    Nothing is done where the server does not run in the main thread: who runs it stops it.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def handle(number: int, frame: FrameType | None) -> None:
        told()
        server = getattr(before, "__self__", None)
        if isinstance(server, uvicorn.Server):
            if server.config.timeout_graceful_shutdown is None:
                server.config.timeout_graceful_shutdown = PATIENCE
            server.should_exit = True
        elif callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, handle)

    def restore() -> None:
        signal.signal(signal.SIGTERM, before)

    return restore
