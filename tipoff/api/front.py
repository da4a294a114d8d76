"""What every request passes first: its id and log line, who asks, limits, what is kept; security headers last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tipoff.api import earlier, problems
from tipoff.api.access import nobody
from tipoff.api.admission import Admission, request_id
from tipoff.api.backend import Backend
from tipoff.api.cache import Kept, is_same
from tipoff.api.live.handshake import Handshake
from tipoff.api.problems import ProblemError

SAFE = ("GET", "HEAD", "OPTIONS")
STALE = (b"warning", b'110 - "response is stale: the database is away"')
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TURN = 2.0
"""seconds that a request waits for another one that asks the same"""
BODY_LIMIT = 1024 * 1024
COMPUTING = ("/api/ml/what-if",)
"""POST requests that change nothing"""
UNSEEN = ("/api/health", "/metrics")
"""whoever asks these has no name, and is not counted"""
STATIC = "/static/"
Shown = Callable[[ProblemError, Scope], Response]
"""a problem as a page"""


def security_headers(*, production: bool) -> list[tuple[bytes, bytes]]:
    """Headers of every answer."""
    found = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"strict-origin-when-cross-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
        (b"content-security-policy", POLICY.encode()),
    ]
    if production:
        found.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
    return found


class Front:
    """Outermost middleware, plain ASGI."""

    def __init__(self, app: ASGIApp, backend: Backend, shown: Shown) -> None:
        self._app, self._backend, self._shown = app, backend, shown
        self._security = security_headers(production=backend.settings.production)
        self._admission = Admission(backend)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await Handshake(self._app, self._admission, scope, receive, send).serve()
        elif scope["type"] == "http":
            await _Request(self, scope, receive, send).serve()
        else:
            await self._app(scope, receive, send)

    async def inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What a page asks of the API in the name of who looks at it, who was admitted and counted already."""
        await _Request(self, scope, receive, send).asked()


class _Request:
    """One request on its way."""

    def __init__(self, front: Front, scope: Scope, receive: Receive, send: Send) -> None:
        self._front, self._backend, self._app = front, front._backend, front._app
        self._scope, self._receive, self._send = scope, receive, send
        self._headers = dict(reversed(scope["headers"]))
        self._id = request_id(self._headers)
        self._extra: list[tuple[bytes, bytes]] = []
        self._status = self._size = 0
        self._begun = time.perf_counter()
        self._method: str = scope["method"]
        query = scope["query_string"]
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        scope["request_id"] = self._id
        scope["path"] = named_path(raw)
        scope["backend"], scope["front"] = self._backend, front
        path = scope["path"]
        self._is_api = path.startswith("/api/") and path not in UNSEEN
        self._is_page = not path.startswith(("/api/", STATIC)) and path not in UNSEEN
        self._place(raw, query)

    def _place(self, raw: bytes, query: bytes) -> None:
        """Where the answer is kept; the same wherever the question is the same."""
        form = "#csv" if b"text/csv" in self._headers.get(b"accept", b"") else ""
        self._address = f"{raw.decode('latin-1')}?{ordered(query)}{form}"
        self._scope["address"] = self._address

    def _renamed(self) -> None:
        """An earlier name of something: answered by its successor, which the answer names."""
        found = earlier.successor(self._scope["path"], self._scope["query_string"].decode("latin-1"))
        if found is None:
            return
        path, query = found
        raw = path.encode()
        self._scope.update(path=named_path(raw), raw_path=raw, query_string=query.encode("latin-1"))
        self._extra += [(b"deprecation", earlier.SINCE), (b"link", f'<{path}>; rel="successor-version"'.encode())]
        self._place(raw, self._scope["query_string"])

    async def serve(self) -> None:
        try:
            if self._is_api or self._is_page:
                await self._admitted()
            else:
                await self._app(self._scope, self._receive, self._out)
        except ProblemError as problem:
            await self._problem(problem)
        except Exception:
            self._backend.log.exception("request failed", request_id=self._id, path=self._scope["path"])
            if not self._status:
                await self._problem(ProblemError(500, "this request failed here; the log has it by its request_id"))
        finally:
            self._log()

    async def _admitted(self) -> None:
        """Count it, find out who asks, then answer."""
        if b"%00" in self._scope["raw_path"] or b"%00" in self._scope["query_string"]:
            raise ProblemError(422, "NUL characters are not stored, so nothing has one in its name")
        if self._is_api and self._method == "GET":
            self._renamed()
        principal = await self._front._admission.admit(self._scope, self._headers)
        safe = self._method in SAFE or self._scope["path"] in COMPUTING
        headers = self._backend.limiter.count("read" if safe else "write", principal.id)
        self._extra += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._answered()

    async def asked(self) -> None:
        """As `serve`, of somebody who is known, without a line in the log."""
        try:
            await self._answered()
        except ProblemError as problem:
            await self._problem(problem)

    async def _answered(self) -> None:
        if self._is_api and self._method == "GET":
            await self._read()
        else:
            await self._app(self._scope, self._measured, self._out)

    async def _measured(self) -> Message:
        """What is received, unless it becomes too much."""
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > BODY_LIMIT:
            raise ProblemError(413, f"the body is larger than {BODY_LIMIT} bytes", headers={"Connection": "close"})
        return message

    async def _read(self) -> None:
        """From what is kept where that is fresh; else ask once, however many wait for the same."""
        principal = self._scope["principal"]
        if not self._backend.settings.open_reads and (principal.scope is None):
            raise nobody(self._scope, "reading needs a key here: send Authorization: Bearer <key>")
        kept, fresh = self._backend.cache.look(self._address)
        if kept is None:
            await self._app(self._scope, self._receive, self._out)
        elif self._backend.away is not None:
            await self._kept(kept, stale=True)
        elif fresh:
            await self._kept(kept)
        else:
            await self._in_turn(kept)

    async def _in_turn(self, kept: Kept) -> None:
        """Ask, unless somebody else does and has the answer soon; what is kept, as stale, where it takes too long."""
        turn = self._backend.cache.turn(self._address)
        try:
            async with asyncio.timeout(TURN):
                await turn.acquire()
        except TimeoutError:
            await self._kept(kept, stale=True)
            return
        try:
            newer, fresh = self._backend.cache.look(self._address)
            if newer is not None and fresh:
                await self._kept(newer)
            else:
                await _Fallback(self, newer).ask()
        finally:
            turn.release()

    async def ask(self, send: Send) -> None:
        await self._app(self._scope, self._receive, send)

    async def pass_on(self, message: Message) -> None:
        await self._out(message)

    async def fall_back(self, kept: Kept) -> None:
        await self._kept(kept, stale=True)

    async def _kept(self, kept: Kept, *, stale: bool = False) -> None:
        extra = [STALE, (b"x-stale", b"true")] if stale else []
        age = (b"age", str(int(time.monotonic() - kept.made)).encode())
        if is_same(kept.etag, self._headers.get(b"if-none-match")):
            headers = [*((n, v) for n, v in kept.headers if n in (b"cache-control", b"vary", b"etag")), age, *extra]
            await self._out({"type": "http.response.start", "status": 304, "headers": headers})
            await self._out({"type": "http.response.body", "body": b""})
            return
        headers = [*kept.headers, age, *extra]
        await self._out({"type": "http.response.start", "status": 200, "headers": headers})
        await self._out({"type": "http.response.body", "body": kept.body})

    async def _problem(self, problem: ProblemError) -> None:
        answer = self._front._shown(problem, self._scope) if self._is_page else problems.answer(problem, self._id)
        await answer(self._scope, self._receive, self._out)

    async def _out(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            there = {name for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"], (b"x-request-id", self._id.encode()), *self._extra,
                *(pair for pair in self._front._security if pair[0] not in there),
            ]  # fmt: skip
        await self._send(message)

    def _log(self) -> None:
        principal: Any = self._scope.get("principal")
        seconds = time.perf_counter() - self._begun
        self._backend.served.count(self._scope, self._status, seconds)
        self._backend.log.info(
            "request", request_id=self._id, method=self._method, path=self._scope["path"][:300],
            status=self._status, ms=round(seconds * 1000, 2),
            by=principal.name or None if principal else None,
        )  # fmt: skip


class _Fallback:
    """A question whose older answer is served, as stale, where the database turns out to be away."""

    def __init__(self, request: _Request, kept: Kept | None) -> None:
        self._request, self._kept, self._dropped = request, kept, False

    async def ask(self) -> None:
        await self._request.ask(self._send)
        if self._dropped and self._kept is not None:
            await self._request.fall_back(self._kept)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 503 and self._kept is not None:
            self._dropped = True
        if not self._dropped:
            await self._request.pass_on(message)


def ordered(query: bytes) -> str:
    """The query with its parameters in order of their names, so that each question is kept once.

    >>> ordered(b"b=2&a=1&&b=1")
    'a=1&b=2&b=1'
    """
    if not query:
        return ""
    return urlencode(sorted(parse_qsl(query.decode("latin-1"), keep_blank_values=True), key=lambda pair: pair[0]))


def named_path(raw: bytes) -> str:
    """The path with each segment decoded but for slashes (and %), so that a name may hold them.

    >>> named_path(b"/api/players/a%2Fb%20%25"), named_path(b"/api/health")
    ('/api/players/a%2Fb %25', '/api/health')
    """
    text = raw.partition(b"?")[0].decode("ascii", "replace")
    if "%" not in text:
        return text
    segments = [unquote(part).replace("%", "%25").replace("/", "%2F") for part in text.split("/")]
    return "/".join(segments)
