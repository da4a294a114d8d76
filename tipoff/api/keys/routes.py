"""`/api/keys`: for administrators."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from fastapi import Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope, new_key
from tipoff.api.keys.schemas import KeyPage, KeyRequest, KeyRow, NewKey
from tipoff.api.matches.routes import LINK, Cursor, Limit
from tipoff.api.problems import ProblemError
from tipoff.api.routing import Format, described, router
from tipoff.storage import keys, overview
from tipoff.storage.pool import Connection

routes = router("keys")


@routes.get(
    "/api/keys", operation_id="list_keys",
    **described(Scope.ADMIN, KeyPage, "List keys", csv=True, headers=LINK),
)  # fmt: skip
def list_keys(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """Keys, newest first, also those that are revoked."""
    before: Any = cursors.read(cursor, dt.datetime, uuid.UUID)

    def page(connection: Connection, place: Any) -> tuple[list[KeyRow], Any]:
        found = keys.listed(connection, limit + 1, place)
        shown = [KeyRow.model_validate(key, from_attributes=True) for key in found[:limit]]
        return shown, (shown[-1].created_at, shown[-1].id) if len(found) > limit else None

    def made(_: Connection, items: list[KeyRow], next_cursor: str | None) -> KeyPage:
        return KeyPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, KeyRow, page, before, (), made, private=True)


@routes.post(
    "/api/keys", operation_id="create_key",
    **described(Scope.ADMIN, NewKey, "Make a key", status=201, problems=[413], headers={"Location": "The keys."}),
)  # fmt: skip
def create_key(request: Request, body: KeyRequest) -> Response:
    """A random key, shown this once; only its SHA-256 is stored."""

    def act(connection: Connection) -> tuple[int, NewKey, answers.Headers]:
        key, sha256, hint = new_key()
        expires = overview.now(connection) + dt.timedelta(days=body.days) if body.days else None
        stored = keys.add(connection, body.name, body.scope.value, sha256, hint, expires)
        row = KeyRow.model_validate(stored, from_attributes=True)
        return 201, NewKey(**row.model_dump(), key=key), {"Location": "/api/keys"}

    return answers.write(request, "keys", act, lambda made: made.model_copy(update={"key": None}))


@routes.delete(
    "/api/keys/{key_id}", operation_id="revoke_key", **described(Scope.ADMIN, KeyRow, "Revoke a key", problems=[404])
)
def revoke_key(request: Request, key_id: uuid.UUID) -> Response:
    """Refused everywhere within a second; it stays in the list."""

    def act(connection: Connection) -> tuple[int, KeyRow, answers.Headers]:
        revoked = keys.revoke(connection, key_id)
        if revoked is None:
            raise ProblemError(404, f"there is no key {key_id}")
        return 200, KeyRow.model_validate(revoked, from_attributes=True), {}

    return answers.write(request, "keys", act)
