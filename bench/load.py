"""A client with many connections at once: python -m bench.load, told on stdin what to ask; its figures on stdout.

Each connection asks as soon as it has its answer. A process of its own and hardly any code an answer, so that it can
ask more than a server answers.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvloop

from tests.chaos.evidence import quantile

WARM = 0.2
"""seconds until answers count"""


def load(port: int, key: str, paths: list[str], connections: int, seconds: float) -> dict[str, Any]:
    """Ask for `paths`, over and over, for `seconds`: answers a second, quantiles in ms, how many were cached."""
    told = json.dumps({"port": port, "key": key, "paths": paths, "connections": connections, "seconds": seconds})
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=told, check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class _Client:
    """What all connections share."""

    def __init__(self, told: dict[str, Any]) -> None:
        head = f"Host: 127.0.0.1:{told['port']}\r\nAuthorization: Bearer {told['key']}\r\n\r\n"
        self._requests = [f"GET {path} HTTP/1.1\r\n{head}".encode() for path in told["paths"]]
        self._number = 0
        self.counts_from = time.perf_counter() + WARM
        self.ends = self.counts_from + told["seconds"]
        self.took: list[float] = []
        self.cached = 0
        self.size = 0

    def next(self) -> bytes | None:
        """The next request, unless it is time to end."""
        if time.perf_counter() >= self.ends:
            return None
        self._number += 1
        return self._requests[(self._number - 1) % len(self._requests)]

    def count(self, begun: float, head: bytes, size: int) -> None:
        """An answer has come."""
        assert head.startswith(b"HTTP/1.1 200 "), head
        now = time.perf_counter()
        if self.counts_from <= now < self.ends:
            self.took.append(now - begun)
            self.cached += b"\r\nage: " in head
            self.size += size


class _Connection(asyncio.Protocol):
    """One connection, kept open."""

    def __init__(self, client: _Client) -> None:
        self._client, self._received, self._begun = client, b"", 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        size = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
        if len(body) == size:
            self._client.count(self._begun, head, size)
            self._received = b""
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def _ask(self) -> None:
        request = self._client.next()
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._begun = time.perf_counter()
        self._transport.write(request)


async def _run(told: dict[str, Any]) -> dict[str, Any]:
    loop, client = asyncio.get_running_loop(), _Client(told)
    opened = [
        await loop.create_connection(lambda: _Connection(client), "127.0.0.1", told["port"])
        for _ in range(told["connections"])
    ]
    await asyncio.gather(*(connection.done for _, connection in opened))
    return {
        "answers": len(client.took), "a_second": len(client.took) / told["seconds"], "cached": client.cached,
        "bytes_an_answer": client.size / len(client.took), **dict(_quantiles(client.took)),
    }  # fmt: skip


def _quantiles(took: list[float]) -> Iterator[tuple[str, float]]:
    for share in (50, 95, 99):
        yield f"p{share}_ms", 1000 * quantile(took, share / 100)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(json.load(sys.stdin)))))
