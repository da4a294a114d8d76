"""One stream: what waits to be sent to it, how much may wait, and why it ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

WAITING = 64
"""messages that may wait for a client before it is dropped"""
HEARTBEAT = 15.0
"""seconds after which something is sent when nothing happens"""
LAST_WORD = 1.0
"""seconds that a client has to take the last word"""
TOO_SLOW = f"too slow: {WAITING} messages waited"
Send = Callable[[str], Awaitable[None]]


class Client:
    """Lives in the event loop; messages are sent in the order they were put."""

    def __init__(self, principal: str) -> None:
        self.principal = principal
        self.topics: dict[str, int] = {}
        """what it follows, and the number by which it joined"""
        self.ready: set[str] = set()
        """topics of which it has had the whole"""
        self.too_slow = False
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue(WAITING)
        self._sending: asyncio.Task[None] | None = None

    def put(self, text: str | None) -> None:
        """Let a message wait, None for the end; a client for which too many wait is dropped."""
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.too_slow = True
            if self._sending is not None:
                self._sending.cancel()

    async def serve(self, send: Send, heartbeat: Callable[[], str], *ends: Coroutine[Any, Any, None]) -> None:
        """Send what waits until the end was put, the client was dropped, or one of `ends` ended; raises its error."""
        self._sending = asyncio.create_task(self._send(send, heartbeat))
        tasks = [self._sending, *(asyncio.create_task(end) for end in ends)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _send(self, send: Send, heartbeat: Callable[[], str]) -> None:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    text = await self._waiting.get()
            except TimeoutError:
                text = heartbeat()
            if text is None:
                return
            await send(text)


async def last_word(saying: Awaitable[None]) -> None:
    """Say it, unless the client does not take it or is gone."""
    with contextlib.suppress(TimeoutError, OSError, RuntimeError):
        async with asyncio.timeout(LAST_WORD):
            await saying
