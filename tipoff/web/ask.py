"""What pages know, they ask of the API inside this process: the same figures, rights, cache and staleness."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.types import Message

from tipoff.api.front import Front
from tipoff.api.problems import ProblemError

CARRIED = ("app", "principal", "still_known", "client", "server", "scheme", "http_version", "root_path")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the API said: its JSON, how old that is, and whether it could not be asked anew (`stale`)."""

    status: int
    data: Any
    age: int = 0
    stale: bool = False
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it is an answer and no problem."""
        return self.status < 300

    @property
    def problem(self) -> str:
        """What was wrong, in a sentence."""
        return "" if self.ok else str(self.data["detail"])

    def needed(self) -> Any:
        """Its JSON; raises ProblemError where it is a problem, so that the page is that problem."""
        if self.ok:
            return self.data
        errors = [(e["where"], e["detail"]) for e in self.data.get("errors") or []]
        again = {"Retry-After": self.headers["retry-after"]} if "retry-after" in self.headers else {}
        raise ProblemError(self.status, self.problem, errors, again)


def path(*segments: str) -> str:
    """An address of the API or of a page, each segment encoded whole.

    >>> path("api", "players", "a/b")
    '/api/players/a%2Fb'
    """
    return "".join("/" + quote(segment, safe="") for segment in segments)


async def get(request: Request, address: str, **query: Any) -> Answer:
    """Ask; parameters that are None or empty are left out."""
    return await _ask(request, "GET", address, query, b"")


async def post(request: Request, address: str, body: Any = None, method: str = "POST", **query: Any) -> Answer:
    """Change something, in the name of who is signed in."""
    return await _ask(request, method, address, query, b"" if body is None else json.dumps(body).encode())


async def all_of(*questions: Any) -> list[Answer]:
    """The answers, asked at the same time."""
    return list(await asyncio.gather(*questions))


async def _ask(request: Request, method: str, address: str, query: dict[str, Any], body: bytes) -> Answer:
    scope = request.scope
    front: Front = scope["front"]
    given = urlencode([(name, _text(value)) for name, value in query.items() if value not in (None, "")])
    headers = [(b"host", request.headers.get("host", "").encode()), (b"x-request-id", scope["request_id"].encode())]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    heard = _Heard(body)
    await front.inner(
        {
            **{name: scope[name] for name in CARRIED if name in scope}, "type": "http", "method": method,
            "path": address, "raw_path": address.encode(), "query_string": given.encode(), "headers": headers,
            "state": dict(scope.get("state", {})), "asgi": scope["asgi"],
        },
        heard.receive, heard.send,
    )  # fmt: skip
    return heard.answer()


def _text(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


class _Heard:
    """Both ends of an inner request."""

    def __init__(self, body: bytes) -> None:
        self._body, self._status, self._parts = body, 0, list[bytes]()
        self._headers: dict[str, str] = {}

    async def receive(self) -> Message:
        """The whole body at once."""
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Collect what is answered."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            self._parts.append(message.get("body", b""))

    def answer(self) -> Answer:
        """What was heard."""
        text = b"".join(self._parts)
        return Answer(
            self._status, json.loads(text) if text else None, int(self._headers.get("age", 0)),
            "x-stale" in self._headers, self._headers,
        )  # fmt: skip
