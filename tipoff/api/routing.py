"""Endpoints: which key they need, which parameters they know, and what the documentation says of them."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi import Query as QueryParameter
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import HTTPConnection
from starlette.responses import Response

from tipoff.api.access import Principal, Scope, nobody
from tipoff.api.backend import Backend
from tipoff.api.problems import MEDIA_TYPE, Problem, ProblemError

SCOPE = "x-scope"
SAID = {
    401: "The key is missing, unknown, revoked or has expired.", 403: "The key's scope does not allow this.",
    404: "There is none.", 409: "It conflicts with what is there.", 413: "The body is larger than 1 MB.",
    422: "The request is wrong; errors say where and what.", 429: "Too many requests; Retry-After says when.",
    503: "The database cannot be asked now, or nothing may write yet.",
}  # fmt: skip

LONGEST_NAME = 2500
"""characters of a name that is asked for: two of them, of four bytes each, fit into an address of 64 KiB"""
STORED = r"^[^\x00]*$"
"""what Postgres stores: anything but NUL; the front refuses it wherever it is (see `front.Front`)"""
Format = Annotated[Literal["json", "csv"] | None, QueryParameter(description="csv: every row, streamed.")]
Named = Annotated[str, PathParameter(max_length=LONGEST_NAME, pattern=STORED)]


class NameConvertor(Convertor[str]):
    """A path segment in which a slash and a percent sign are still encoded (see `front.named_path`)."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """The name itself."""
        return value.replace("%2F", "/").replace("%25", "%")

    def to_string(self, value: str) -> str:
        """The inverse of `convert`."""
        return value.replace("%", "%25").replace("/", "%2F")


register_url_convertor("name", NameConvertor())


class Route(APIRoute):
    """Checks scope and names of parameters before anything else is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with its checks around it."""
        handle = super().get_route_handler()
        scope = Scope(self.openapi_extra[SCOPE]) if self.openapi_extra and SCOPE in self.openapi_extra else None
        known = sorted(f.alias for f in get_flat_params(self.dependant) if isinstance(f.field_info, Query))
        writes = "POST" in (self.methods or ())
        waits = inspect.iscoroutinefunction(self.endpoint)

        async def checked(request: Request) -> Response:
            if scope is not None:
                await _allowed(request, scope)
            if request.scope["query_string"]:
                _known(request, known)
            if writes:
                query = request.scope["query_string"].decode("latin-1")
                digest = hashlib.sha256(f"{request.method} {request.scope['path']}?{query}\n".encode())
                digest.update(await request.body())
                request.state.sha256 = digest.hexdigest()
            if waits:
                return await handle(request)
            async with backend_of(request).place():
                return await handle(request)

        return checked


async def _allowed(request: Request, scope: Scope) -> None:
    principal: Principal = request.scope["principal"]
    backend: Backend = request.scope["backend"]
    if scope is Scope.READ and backend.settings.open_reads:
        return
    if principal.scope is None:
        if backend.settings.production and backend.away is None and not await run_in_threadpool(backend.writable):
            raise ProblemError(
                503, "nobody may write yet: set OPERATOR_API_KEY, or make a key with "
                "python -m tipoff keys create --scope operate --name NAME", headers={"Retry-After": "60"},
            )  # fmt: skip
        raise nobody(
            request.scope,
            f"this needs a key with the scope {scope}: send Authorization: Bearer <key> or X-API-Key; "
            f"make one with tipoff keys create --scope {scope} --name NAME",
        )
    if not principal.scope.includes(scope):
        raise ProblemError(403, f"this needs the scope {scope}; this key has the scope {principal.scope}")


def _known(request: Request, known: list[str]) -> None:
    strange = sorted({name for name in request.query_params if name not in known})
    if strange:
        said = f"there is no such parameter; there are: {', '.join(known) or 'none'}"
        named = ", ".join(name[:40] for name in strange[:5])
        raise ProblemError(422, f"{named}: {said}", [(name[:40], said) for name in strange[:20]])


def backend_of(request: HTTPConnection) -> Backend:
    """What this process works with."""
    backend: Backend = request.scope["backend"]
    return backend


def described(
    scope: Scope | None, model: type[BaseModel] | str, summary: str, *, status: int = 200,
    problems: Iterable[int] = (), csv: bool = False, cached: bool = False, headers: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Keyword arguments of a route: its scope, what it answers (or its media type), which problems it may have."""
    content: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}}} if csv else {}
    ok: dict[str, Any] = {"description": "As asked.", "content": content}
    if isinstance(model, str):
        ok["content"] = {model: {"schema": {"type": "string"}, "example": "..."}}
    else:
        ok["model"] = model
    if headers:
        ok["headers"] = {name: {"description": said, "schema": {"type": "string"}} for name, said in headers.items()}
    responses: dict[int | str, dict[str, Any]] = {status: ok}
    if cached:
        responses[304] = {"description": "It is what If-None-Match names."}
    for number in sorted({*problems, *((401, 403) if scope else ()), 422, 429, 503}):
        responses[number] = {"model": Problem, "description": SAID[number], "content": {MEDIA_TYPE: {}}}
    extra: dict[str, Any] = {SCOPE: scope.value} if scope else {}
    if scope is not None:
        both: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]
        extra["security"] = [{}, *both] if scope is Scope.READ else both
    return {
        "summary": summary, "status_code": status, "responses": responses, "openapi_extra": extra,
        "response_model": None, "response_class": Response,
    }  # fmt: skip


def router(tag: str) -> APIRouter:
    """A router of one resource."""
    return APIRouter(tags=[tag], route_class=Route)
