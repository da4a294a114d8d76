"""`WS /api/ws` and `GET /api/events`: the same messages, each connection with the topics it asks for."""

from __future__ import annotations

import asyncio
import functools
from typing import Annotated, NoReturn

from fastapi import Query, Request, WebSocket
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from tipoff.api.access import Principal
from tipoff.api.access import Scope as KeyScope
from tipoff.api.live import topics
from tipoff.api.live.client import TOO_SLOW, Client, last_word
from tipoff.api.live.handshake import PROTOCOL
from tipoff.api.live.hub import STOPPING, Hub, notice
from tipoff.api.problems import ProblemError
from tipoff.api.routing import backend_of, described, router

MOST = 2_000
"""streams of a process"""
ASKED = 4_096
"""characters of a message from a client at most"""
MOST_REASON = 100
"""characters of the reason why a WebSocket is closed"""
LOOK = 0.5
"""seconds after which it is asked again whether a key still counts"""
MISREAD, NOT_ALLOWED, TOO_BIG, RESTART, LATER = 1007, 1008, 1009, 1012, 1013
DEFAULT = ",".join(topics.EVERY)
HEARTBEAT = functools.partial(notice, "heartbeat")
routes = router("live")


@routes.get(
    "/api/events", operation_id="follow_events",
    **described(KeyScope.READ, "text/event-stream", "Follow topics (server-sent events)"),
)  # fmt: skip
async def follow_events(
    request: Request,
    named: Annotated[
        str, Query(alias="topics", max_length=1_000, description="jobs, jobs/<job id>, matches, predictions.")
    ] = DEFAULT,
) -> Response:
    """A snapshot of each topic, then its changes and notices, each the data of an event; see WS /api/ws."""
    return EventStream(topics.topics_in(named), _admitted(request))


def _admitted(connection: HTTPConnection) -> Client:
    """A client of this connection, counted; raises ProblemError where too many are open (429: of this one)."""
    backend, hub = backend_of(connection), hub_of(connection)
    principal: Principal = connection.scope["principal"]
    most = backend.settings.streams
    if hub.streams(principal.id) >= most:
        said = f"{most} streams of this key or address are open: close one (TIPOFF_STREAMS)"
        raise ProblemError(429, said, headers={"Retry-After": "10"})
    if hub.streams() >= MOST:
        raise ProblemError(503, f"{MOST} streams are open here: try again", headers={"Retry-After": "10"})
    client = Client(principal.id)
    hub.admit(client)
    return client


def hub_of(connection: HTTPConnection) -> Hub:
    """What streams of this process hang on."""
    hub: Hub = connection.app.state.hub
    return hub


class _RefusedError(Exception):
    """The connection is closed by this side."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason


class EventStream(Response):
    """A stream of events; it ends when the client goes, is too slow, or the process stops."""

    def __init__(self, names: list[str], client: Client) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(media_type="text/event-stream", headers=headers)
        del self.headers["content-length"]
        self._names, self._client = names, client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until something ends them."""
        hub, client = hub_of(HTTPConnection(scope)), self._client

        async def event(text: str) -> None:
            await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            hub.join(client, self._names)
            await client.serve(event, HEARTBEAT, gone(), _expired(scope))
        except _RefusedError as refused:
            await last_word(event(notice("error", refused.reason)))
        finally:
            hub.part(client)
        if client.too_slow:
            _log_dropped(scope)
            await last_word(event(notice("dropped", TOO_SLOW)))
        await last_word(send({"type": "http.response.body", "body": b""}))


def _log_dropped(scope: Scope) -> None:
    scope["backend"].log.warning("stream dropped", request_id=scope["request_id"], reason=TOO_SLOW)


async def _expired(scope: Scope) -> None:
    """Raise once the key that a stream was opened with may no longer read."""
    while scope["backend"].settings.open_reads:
        await asyncio.sleep(3600)
    while await scope["still_known"]():
        await asyncio.sleep(LOOK)
    raise _RefusedError(NOT_ALLOWED, "this key was revoked or has expired")


class Asked(BaseModel):
    """What a client may send over a WebSocket."""

    model_config = ConfigDict(extra="forbid")

    subscribe: list[str] = []
    unsubscribe: list[str] = []


@routes.websocket("/api/ws")
async def follow(websocket: WebSocket) -> None:
    """As `follow_events`; messages {"subscribe": [...], "unsubscribe": [...]} change what is followed."""
    strange = ", ".join(sorted(set(websocket.query_params) - {"topics"}))[:100]
    if strange:
        raise ProblemError(422, f"{strange}: there is no such parameter; there are: topics")
    names = topics.topics_in(websocket.query_params.get("topics", DEFAULT))
    hub, client = hub_of(websocket), _admitted(websocket)
    try:
        await websocket.accept(subprotocol=PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
        hub.join(client, names)
        await client.serve(websocket.send_text, HEARTBEAT, _listen(websocket, hub, client), _expired(websocket.scope))
    except WebSocketDisconnect:
        return
    except _RefusedError as refused:
        await last_word(websocket.close(refused.code, refused.reason))
        return
    finally:
        hub.part(client)
    if client.too_slow:
        _log_dropped(websocket.scope)
        await last_word(websocket.send_text(notice("dropped", TOO_SLOW)))
        await last_word(websocket.close(LATER, TOO_SLOW))
    else:
        await last_word(websocket.close(RESTART, STOPPING))


async def _listen(websocket: WebSocket, hub: Hub, client: Client) -> NoReturn:
    """Follow what the client asks for; raises WebSocketDisconnect when it goes. A message counts as a read."""
    limiter = backend_of(websocket).limiter
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        try:
            limiter.count("read", client.principal)
        except ProblemError as problem:
            raise _RefusedError(LATER, problem.detail[:MOST_REASON]) from problem
        text = message.get("text")
        if text is None:
            raise _RefusedError(MISREAD, "messages are JSON, as text")
        if len(text) > ASKED:
            raise _RefusedError(TOO_BIG, f"a message has {ASKED} characters at most")
        try:
            asked = Asked.model_validate_json(text)
            wanted = topics.topics_in(",".join(asked.subscribe)) if asked.subscribe else []
            topics.check_number({*client.topics, *wanted})
        except ValidationError:
            client.put(notice("error", 'a message is {"subscribe": [topics], "unsubscribe": [topics]}'))
        except ProblemError as problem:
            client.put(notice("error", problem.detail))
        else:
            hub.leave(client, asked.unsubscribe)
            hub.join(client, wanted)
