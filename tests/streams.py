"""Streams of the API for tests: a WebSocket or server-sent events, read until a message is what is waited for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.web import WebProcess

Message = dict[str, Any]
PATIENCE = 10.0


class Stream:
    """Messages as they come; every one of them is kept."""

    def __init__(self, read: Callable[[], Message]) -> None:
        self._read = read
        self.kept: list[Message] = []

    def next(self) -> Message:
        """The next one; raises where none comes."""
        self.kept.append(self._read())
        return self.kept[-1]

    def until(self, wanted: Callable[[Message], Any]) -> Message:
        """The first that is wanted."""
        while not wanted(message := self.next()):
            assert len(self.kept) < 1000, self.kept[-5:]
        return message

    def row(self, topic: str, row_id: str, wanted: Callable[[Any], Any] = bool) -> dict[str, Any]:
        """The first row of that id which is wanted, with its revision."""

        def mine(message: Message) -> list[dict[str, Any]]:
            rows = message.get("rows", []) if message.get("topic") == topic else []
            return [row for row in rows if row["id"] == row_id and wanted(row["row"])]

        return mine(self.until(mine))[0]


@contextlib.contextmanager
def websocket(web: WebProcess, topics: str | None = None, **more: Any) -> Iterator[tuple[Stream, ClientConnection]]:
    """A WebSocket that is open; raises InvalidStatus where it is refused."""
    query = "" if topics is None else f"?topics={topics}"
    with connect(f"ws://127.0.0.1:{web.port}/api/ws{query}", max_size=2**24, proxy=None, **more) as connection:
        yield Stream(lambda: json.loads(connection.recv(PATIENCE))), connection


@contextlib.contextmanager
def events(web: WebProcess, topics: str) -> Iterator[Stream]:
    """Server-sent events."""
    with (
        httpx.Client(base_url=web.url, timeout=PATIENCE, trust_env=False) as http,
        http.stream("GET", f"/api/events?topics={topics}") as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        yield Stream(lambda: json.loads(next(line for line in lines if line.startswith("data: "))[6:]))


def started(web: WebProcess, path: str = "/api/ml/train") -> str:
    """A new job's id."""
    answer = web.post(path)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])
