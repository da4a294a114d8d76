"""What every request passes first: its id and log line, who asks, limits, what is kept; security headers last."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import time
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tipoff.api import earlier, problems
from tipoff.api.access import Principal, given_key, refused
from tipoff.api.backend import Backend
from tipoff.api.cache import Kept, is_same
from tipoff.api.problems import ProblemError

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
SAFE = ("GET", "HEAD", "OPTIONS")
STALE = (b"warning", b'110 - "response is stale: the database is away"')
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LOOPBACK = "127.0.0.1"
TURN = 2.0
"""seconds that a request waits for another one that asks the same"""
BODY_LIMIT = 1024 * 1024
COMPUTING = ("/api/ml/what-if",)
"""POST requests that change nothing"""


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

    def __init__(self, app: ASGIApp, backend: Backend) -> None:
        self._app, self._backend = app, backend
        settings = backend.settings
        self._security = security_headers(production=settings.production)
        header = settings.client_header or ("CF-Connecting-IP" if settings.render else None)
        self._client_header = header.lower().encode() if header else None
        self._forwarded = "FORWARDED_ALLOW_IPS" in os.environ

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Request(self, scope, receive, send).serve()

    def client(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """The client's address: the peer, or what the trusted proxy says where one is configured.

        The server takes the address from X-Forwarded-For for peers on this machine by itself; that is not believed
        unless FORWARDED_ALLOW_IPS says whom the operator trusts.
        """
        if self._client_header is not None and (told := headers.get(self._client_header)):
            return told.decode("latin-1").strip()[:64]
        host = str((scope.get("client") or ("unknown", 0))[0])
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
        if host in forwarded and not self._forwarded:
            return LOOPBACK
        return network(host)


class _Request:
    """One request on its way."""

    def __init__(self, front: Front, scope: Scope, receive: Receive, send: Send) -> None:
        self._front, self._backend, self._app = front, front._backend, front._app
        self._scope, self._receive, self._send = scope, receive, send
        self._headers = dict(reversed(scope["headers"]))
        given = self._headers.get(b"x-request-id", b"")
        self._id = given.decode() if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex[:20]
        self._extra: list[tuple[bytes, bytes]] = []
        self._status = self._size = 0
        self._begun = time.perf_counter()
        self._method: str = scope["method"]
        query = scope["query_string"]
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        scope["request_id"] = self._id
        scope["path"] = named_path(raw)
        scope["backend"] = self._backend
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
            if not self._scope["path"].startswith("/api/") or self._scope["path"] == "/api/health":
                await self._app(self._scope, self._receive, self._out)
            else:
                await self._admitted()
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
        if self._method == "GET":
            self._renamed()
        address = self._front.client(self._scope, self._headers)
        principal = await self._principal(address)
        self._scope["principal"] = principal
        safe = self._method in SAFE or self._scope["path"] in COMPUTING
        headers = self._backend.limiter.count("read" if safe else "write", principal.id)
        self._extra += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if self._method == "GET":
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

    async def _principal(self, address: str) -> Principal:
        failures = f"address {address}"
        try:
            key = given_key(self._headers)
        except ProblemError:
            self._backend.limiter.count("failure", failures)
            raise
        if key is None:
            return Principal(failures, "", None)
        known, principal = self._backend.keys.remembered(key)
        if not known:
            self._backend.limiter.check("failure", failures)
            try:
                principal = await run_in_threadpool(self._backend.keys.look_up, key)
            except Exception as error:
                raise problems.problem_of(error) from error
        if principal is None:
            self._backend.limiter.count("failure", failures)
            raise refused("this key is unknown, revoked or has expired: make one with tipoff keys create")
        return principal

    async def _read(self) -> None:
        """From what is kept where that is fresh; else ask once, however many wait for the same."""
        principal = self._scope["principal"]
        if not self._backend.settings.open_reads and (principal.scope is None):
            raise refused("reading needs a key here: send Authorization: Bearer <key>")
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
        await problems.answer(problem, self._id)(self._scope, self._receive, self._out)

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
        self._backend.log.info(
            "request", request_id=self._id, method=self._method, path=self._scope["path"][:300],
            status=self._status, ms=round((time.perf_counter() - self._begun) * 1000, 2),
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


def network(host: str) -> str:
    """Whom an address belongs to: itself, or of IPv6 the /64 that one customer has.

    >>> network("9.9.9.9"), network("2001:db8:1:2:3:4:5:6")
    ('9.9.9.9', '2001:db8:1:2::/64')
    """
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network(f"{host.partition('%')[0]}/64", strict=False))
    except ValueError:
        return host[:64]


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
