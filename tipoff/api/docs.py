"""The documentation's details: what is added to the OpenAPI document, and what its pages may load."""

from __future__ import annotations

import base64
import hashlib
import re
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tipoff.api.problems import EXAMPLE, MEDIA_TYPE

PAGES = ("/api/docs", "/api/redoc")
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "description": "The same key and request again gets the first answer, for a day; another request is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}  # fmt: skip
INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def finished(document: dict[str, Any]) -> dict[str, Any]:
    """Problems under their media type with an example; the security schemes."""
    for path in document["paths"].values():
        for method, operation in path.items():
            if method == "post":
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            for status, response in operation.get("responses", {}).items():
                if MEDIA_TYPE in response.get("content", {}):
                    schema = {"$ref": "#/components/schemas/Problem"}
                    shown = {
                        **EXAMPLE,
                        "status": int(status),
                        "title": HTTPStatus(int(status)).phrase,
                        "detail": response["description"],
                    }
                    response["content"] = {MEDIA_TYPE: {"schema": schema, "example": shown}}
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A key made by tipoff keys create."},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    }
    return document


class Policy:
    """The two pages of documentation have one inline script each and inline styles: allowed by hash, there alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the page back until its script is known."""
        if scope["type"] != "http" or scope["path"] not in PAGES:
            await self._app(scope, receive, send)
            return
        start: list[Message] = []

        async def held(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
                return
            if start:
                first = start.pop()
                scripts = " ".join(_hash(found) for found in INLINE.findall(message.get("body", b"")))
                policy = (
                    f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
                    "img-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; "
                    "frame-ancestors 'none'"
                )
                first["headers"] = [*first["headers"], (b"content-security-policy", policy.encode())]
                await send(first)
            await send(message)

        await self._app(scope, receive, held)


def _hash(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
