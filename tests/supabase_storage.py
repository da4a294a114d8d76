"""A server on loopback that answers like Supabase Storage, faults included.

Written from what the real server was seen to answer: errors are HTTP 400 with the true code in JSON; a secret
key in `Authorization` is 403 inside that JSON; `x-upsert: false` on a taken key is KeyAlreadyExists; a list holds the
names inside a folder, and at most as many as were asked for.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SECRET = "sb_secret_of_the_tests"
LEGACY = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.signature"
PUBLIC = "sb_publishable_of_the_tests"


def error(code: str, status: str, message: str, http: int = 400) -> JSONResponse:
    """An error as Storage words it."""
    return JSONResponse({"statusCode": status, "error": code, "message": message, "code": code}, http)


@dataclasses.dataclass
class Bucket:
    """What is stored, and the faults to come: each is used up by one request."""

    objects: dict[str, bytes] = dataclasses.field(default_factory=dict)
    created: bool = False
    public: bool = False
    limit: int | None = None
    """bytes of an object that the bucket takes"""
    stored: dict[str, dt.datetime] = dataclasses.field(default_factory=dict)
    """when each object came last"""
    faults: list[str] = dataclasses.field(default_factory=list)
    asked: list[str] = dataclasses.field(default_factory=list)
    unreadable: set[str] = dataclasses.field(default_factory=set)
    """keys that the gateway before it cannot read, until told otherwise"""
    status: int = 503
    """what the gateway answers then"""

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/storage/v1/bucket", self._create, methods=["POST"]),
                Route("/storage/v1/bucket/{bucket}", self._look, methods=["GET"]),
                Route("/storage/v1/object/list/{bucket}", self._list, methods=["POST"]),
                Route("/storage/v1/object/authenticated/{bucket}/{key:path}", self._get, methods=["GET"]),
                Route("/storage/v1/object/{bucket}/{key:path}", self._post, methods=["POST"]),
                Route("/storage/v1/object/{bucket}", self._delete, methods=["DELETE"]),
            ]
        )

    def _refused(self, request: Request) -> Response | None:
        self.asked.append(f"{request.method} {request.url.path}")
        key, bearer = request.headers.get("apikey", ""), request.headers.get("authorization", "")
        if bearer.removeprefix("Bearer ").startswith("sb_"):
            return error("AccessDenied", "403", "Invalid Compact JWS")
        if key.startswith("eyJ") and bearer != f"Bearer {key}":
            return error("InvalidJWT", "400", "no authorization")
        if key not in (SECRET, LEGACY):
            return error("AccessDenied", "403", "new row violates row-level security policy")
        if "Mozilla" in request.headers.get("user-agent", ""):
            return error("401", "401", "Forbidden use of secret API key in browser", 401)
        fault = self.faults[0] if self.faults and self.faults[0] in ("429", "500") else None
        if fault == "429":
            self.faults.pop(0)
            return JSONResponse({"statusCode": "429", "code": "SlowDown", "message": "slow down"}, 429)
        if fault == "500":
            self.faults.pop(0)
            return error("InternalError", "500", "Internal Server Error")
        return None

    async def _create(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if self.created:
            return error("BucketAlreadyExists", "409", "The resource already exists")
        body = await request.json()
        self.created, self.public, self.limit = True, body.get("public", False), body.get("file_size_limit")
        return JSONResponse({"name": body["name"]})

    async def _look(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if not self.created:
            return error("NoSuchBucket", "404", "Bucket not found")
        name = request.path_params["bucket"]
        return JSONResponse({"id": name, "name": name, "public": self.public, "file_size_limit": self.limit})

    async def _list(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        folder, first = f"{body['prefix']}/", body.get("offset", 0)
        names = sorted(key.removeprefix(folder) for key in self.objects if key.startswith(folder))
        return JSONResponse(
            [
                {"name": name, "id": "1", "updated_at": self.stored[folder + name].strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
                for name in names[first : first + body.get("limit", 100)]
            ]
        )

    async def _post(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if not self.created:
            return error("NoSuchBucket", "404", "Bucket not found")
        content, key = await request.body(), request.path_params["key"]
        if not key.isascii() or "#" in key:
            return error("InvalidKey", "400", f"Invalid key: {key}")
        if len(content) > (self.limit or 50_000_000):
            return error("EntityTooLarge", "413", "The object exceeded the maximum allowed size")
        if key in self.objects and request.headers.get("x-upsert") != "true":
            return error("KeyAlreadyExists", "409", "The resource already exists")
        if self.faults and self.faults[0] == "cut":
            self.faults.pop(0)
            content = content[: len(content) // 2]
        self.objects[key], self.stored[key] = content, dt.datetime.now(dt.UTC)
        return JSONResponse({"Key": f"{request.path_params['bucket']}/{key}", "Id": "1"})

    async def _get(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        key = request.path_params["key"]
        if key in self.unreadable:
            return Response("no healthy upstream", self.status)
        if key not in self.objects:
            return error("NoSuchKey", "404", "Object not found")
        return Response(self.objects[key], media_type="application/octet-stream")

    async def _delete(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        gone = [key for key in (await request.json())["prefixes"] if self.objects.pop(key, None) is not None]
        return JSONResponse([{"name": key} for key in gone])


def main() -> None:
    """Serve an empty store on a free port of loopback; the first line says where."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(Bucket().app(), log_level="error")).run(sockets=[listening])


if __name__ == "__main__":
    main()
