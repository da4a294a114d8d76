"""SIGTERM and SIGINT: open streams are told to end; after SIGTERM the process exits with 0.

The server (uvicorn) would wait for ever for an open stream or a client that does not read, and raises the signal
again once it has stopped, so that a clean stop looks like a killed process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

PATIENCE = 8
"""seconds that answers which have begun may still take"""


def when_asked_to_stop(told: Callable[[], None]) -> Callable[[], None]:
    """Call `told` on SIGTERM and SIGINT before the server ends; returns what takes the handlers away again.

    Nothing is done where the server does not run in the main thread: who runs it stops it.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    numbers = (signal.SIGTERM, signal.SIGINT)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}

    asked: set[int] = set()

    def handle(number: int, frame: FrameType | None) -> None:
        if not asked:
            asked.add(number)
            told()
        server = getattr(before[number], "__self__", None)
        if isinstance(server, uvicorn.Server) and server.config.timeout_graceful_shutdown is None:
            server.config.timeout_graceful_shutdown = PATIENCE
        if isinstance(server, uvicorn.Server) and number == signal.SIGTERM:
            server.should_exit = True
        elif callable(before[number]):
            before[number](number, frame)

    for number in numbers:
        signal.signal(number, handle)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
