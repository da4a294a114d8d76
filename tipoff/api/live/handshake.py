"""What every WebSocket passes before it is accepted: its id and log line, where it comes from, key and limits."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tipoff.api import problems
from tipoff.api.access import refused
from tipoff.api.admission import Admission, request_id
from tipoff.api.problems import ProblemError

PATH = "/api/ws"
PROTOCOL = "tipoff"
KEY = "key."
"""browsers cannot send headers: they offer the protocols tipoff and key.<key>"""


class Handshake:
    """One WebSocket on its way."""

    def __init__(self, app: ASGIApp, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._admission, self._backend = app, admission, admission.backend
        self._scope, self._receive, self._send = scope, receive, send
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        self._id = request_id(self._headers)
        self._status = 0
        scope["request_id"], scope["backend"] = self._id, self._backend

    async def serve(self) -> None:
        """Let it through, or refuse it with a problem; either way the log has a line when it ends."""
        begun = time.perf_counter()
        try:
            await self._admit()
            await self._app(self._scope, self._receive, self._out)
        except ProblemError as problem:
            await self._refuse(problem)
        except Exception:
            self._backend.log.exception("websocket failed", request_id=self._id)
            if not self._status:
                await self._refuse(ProblemError(500, "this request failed here; the log has it by its request_id"))
        finally:
            principal = self._scope.get("principal")
            self._backend.served.count(self._scope, self._status, time.perf_counter() - begun)
            self._backend.log.info(
                "websocket", request_id=self._id, path=self._scope["path"][:300], status=self._status,
                ms=round((time.perf_counter() - begun) * 1000, 2), by=principal.name or None if principal else None,
            )  # fmt: skip

    async def _refuse(self, problem: ProblemError) -> None:
        await problems.answer(problem, self._id)(self._scope, self._receive, self._out)

    async def _admit(self) -> None:
        settings = self._backend.settings
        if self._scope["path"] != PATH:
            raise ProblemError(404, f"there is no WebSocket at this address but at {PATH}")
        origin = self._headers.get(b"origin", b"").decode("latin-1")
        if origin and not self._is_here(origin) and not {"*", origin} & set(settings.cors_origins):
            raise ProblemError(403, "pages of other origins may not connect: CORS_ORIGINS names those that may")
        for offered in self._scope["subprotocols"]:
            if offered.startswith(KEY):
                self._headers[b"x-api-key"] = offered.removeprefix(KEY).encode("latin-1")
        principal = await self._admission.admit(self._scope, self._headers)
        self._backend.limiter.count("read", principal.id)
        if not settings.open_reads and principal.scope is None:
            raise refused(
                "reading needs a key here: send Authorization: Bearer <key>, or offer the protocol key.<key>"
            )

    def _is_here(self, origin: str) -> bool:
        """Whether a page comes from this server."""
        try:
            return urlsplit(origin).netloc == self._headers.get(b"host", b"").decode("latin-1")
        except ValueError:
            return False

    async def _out(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self._status = 101
            message["headers"] = [*message.get("headers", []), (b"x-request-id", self._id.encode())]
        elif message["type"] == "websocket.http.response.start":
            self._status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._id.encode())]
        await self._send(message)
