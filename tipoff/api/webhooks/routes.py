"""`/api/webhooks`: who is told of alerts over HTTP, and what was delivered."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from fastapi import Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.matches.routes import LINK, Cursor, Limit
from tipoff.api.problems import ProblemError
from tipoff.api.routing import Format, backend_of, described, router
from tipoff.api.webhooks.schemas import DeliveryPage, DeliveryRow, NewWebhook, WebhookRequest, WebhookRow, Webhooks
from tipoff.delivery.registration import register, shown_address
from tipoff.errors import AddressError, ConflictError
from tipoff.storage import deliveries, webhooks
from tipoff.storage.pool import Connection
from tipoff.storage.webhooks import Webhook

routes = router("webhooks")


@routes.get("/api/webhooks", operation_id="list_webhooks", **described(Scope.ADMIN, Webhooks, "List webhooks"))
def list_webhooks(request: Request) -> Response:
    """All receivers, by name, without their secrets."""

    def question(connection: Connection) -> Webhooks:
        return Webhooks(items=[_row(hook) for hook in webhooks.listed(connection)])

    return answers.read(request, (), question, private=True)


@routes.post(
    "/api/webhooks", operation_id="create_webhook",
    **described(
        Scope.ADMIN, NewWebhook, "Make a webhook", status=201, problems=[409, 413],
        headers={"Location": "The webhooks."},
    ),
)  # fmt: skip
def create_webhook(request: Request, body: WebhookRequest) -> Response:
    """Tell a receiver of alerts from now on. Its secret, which signs what is sent, is shown this once."""
    private = backend_of(request).settings.webhooks_private

    def act(connection: Connection) -> tuple[int, NewWebhook, answers.Headers]:
        try:
            hook = register(connection, body.name, body.url, body.secret, allow_private=private)
        except AddressError as error:
            raise ProblemError(422, f"url: {error}", [("/url", str(error))]) from error
        except ConflictError as error:
            raise ProblemError(409, str(error)) from error
        made = NewWebhook(**_row(hook).model_dump(), secret=hook.secret)
        return 201, made, {"Location": "/api/webhooks"}

    return answers.write(request, None, act, lambda made: made.model_copy(update={"secret": None}))


@routes.delete(
    "/api/webhooks/{webhook_id}", operation_id="remove_webhook",
    **described(Scope.ADMIN, WebhookRow, "Remove a webhook", problems=[404]),
)  # fmt: skip
def remove_webhook(request: Request, webhook_id: uuid.UUID) -> Response:
    """It is told nothing more; messages that wait for it are given up."""

    def act(connection: Connection) -> tuple[int, WebhookRow, answers.Headers]:
        hook = webhooks.remove(connection, webhook_id)
        if hook is None:
            raise ProblemError(404, f"there is no webhook {webhook_id}")
        return 200, _row(hook), {}

    return answers.write(request, None, act)


@routes.get(
    "/api/webhooks/deliveries", operation_id="list_deliveries",
    **described(Scope.OPERATE, DeliveryPage, "List deliveries", csv=True, headers=LINK),
)  # fmt: skip
def list_deliveries(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """Each try to deliver a message, newest first, through webhooks and through Apprise."""
    before: Any = cursors.read(cursor, dt.datetime, int)

    def page(connection: Connection, place: Any) -> tuple[list[DeliveryRow], Any]:
        found = deliveries.listed(connection, limit + 1, place)
        shown = [DeliveryRow.model_validate(one, from_attributes=True) for one in found[:limit]]
        return shown, (shown[-1].at, shown[-1].id) if len(found) > limit else None

    def made(_: Connection, items: list[DeliveryRow], next_cursor: str | None) -> DeliveryPage:
        return DeliveryPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, DeliveryRow, page, before, (), made, private=True)


def _row(hook: Webhook) -> WebhookRow:
    return WebhookRow(
        id=hook.id, name=hook.name, address=shown_address(hook), enabled=hook.enabled, created_at=hook.created_at
    )
