"""A relay on loopback before a real server: it can answer late, cut what is open, refuse what comes, and flap."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Self

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Relays to a port of this machine, or with `path` from one Unix socket to another.

    `delay` is added to each answer, in seconds; `asked` counts questions (what is sent after an answer); after `left`
    more of them it goes down by itself.
    """

    def __init__(self, to: int | Path, path: Path | None = None) -> None:
        self.delay, self.asked, self.port = 0.0, 0, 0
        self.left: int | None = None
        self._to, self._path = to, path
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.up()

    @property
    def is_up(self) -> bool:
        """Whether it takes connections."""
        return self._server is not None

    def up(self, left: int | None = None) -> None:
        """Listen, at the same address as before; for so many questions, or until it is told otherwise."""
        self.left = left
        self._do(self._up())

    def down(self) -> None:
        """Cut what is open and refuse what comes."""
        self._do(self._down())

    @contextlib.contextmanager
    def flapping(self, up: float, down: float) -> Iterator[None]:
        """While the block runs: down and up again for so many seconds each; up afterwards."""
        over = threading.Event()

        def flap() -> None:
            while not over.is_set():
                self.down()
                over.wait(down)
                self.up()
                over.wait(up)

        thread = threading.Thread(target=flap, name="flapping", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def close(self) -> None:
        """Down for good."""
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _up(self) -> None:
        if self._server is not None:
            return
        if self._path is not None:
            self._server = await asyncio.start_unix_server(self._relay, self._path)
        else:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port, backlog=64)
            self.port = int(self._server.sockets[0].getsockname()[1])

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            if self._path is not None:
                self._path.unlink(missing_ok=True)
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self) -> Streams:
        if isinstance(self._to, Path):
            return await asyncio.open_unix_connection(self._to)
        return await asyncio.open_connection("127.0.0.1", self._to)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = asyncio.Event()
        self._open.add(writer)
        try:
            theirs, to = await self._connected()
            self._open.add(to)
            if self._server is None:  # it went down meanwhile
                to.transport.abort()
                raise ConnectionAbortedError
            await asyncio.gather(self._ask(reader, to, turn), self._answer(theirs, writer, turn))
            self._open.discard(to)
        except OSError:
            writer.transport.abort()
        self._open.discard(writer)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not turn.is_set():
                    if self.left == 0:
                        await self._down()
                        return
                    self.left = None if self.left is None else self.left - 1
                    self.asked += 1
                    turn.set()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if turn.is_set() and self.delay:
                    await asyncio.sleep(self.delay)
                turn.clear()
                writer.write(data)
                await writer.drain()
        writer.close()
