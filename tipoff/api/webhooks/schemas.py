"""What the API says of webhooks and deliveries."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

HOOK: dict[str, Any] = {
    "id": "0c1d7a52-9a0e-4c55-b8a7-5b9a6b1f7d10", "name": "on-call", "address": "https://hooks.example.com/...",
    "enabled": True, "created_at": "2026-11-25T21:00:00Z",
}  # fmt: skip
DELIVERY: dict[str, Any] = {
    "id": 42, "at": "2026-11-25T21:03:00Z", "message_id": 17, "channel": "webhook:on-call", "event": "opened",
    "rule": "no_workers", "attempt": 2, "ok": True, "status": 200, "duration_ms": 84.1, "error": "",
    "state": "delivered",
}  # fmt: skip


class WebhookRequest(BaseModel):
    """A receiver to be told of alerts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "on-call", "url": "https://hooks.example.com/tipoff"}]},
    )

    name: str = Field(
        min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$", description="What it is called."
    )
    url: str = Field(
        max_length=2000, pattern=r"^https?://[!-~]+$", description="Where it is posted to: https://name/path."
    )
    secret: str | None = Field(
        None, min_length=16, max_length=200, pattern=r"^[!-~]+$", description="What signs; null: one is made."
    )


class WebhookRow(BaseModel):
    """A receiver, without its secret and without the path of its address."""

    model_config = ConfigDict(json_schema_extra={"examples": [HOOK]})

    id: uuid.UUID
    name: str
    address: str = Field(description="Its address without path and query, which often hold a secret.")
    enabled: bool
    created_at: dt.datetime


class NewWebhook(WebhookRow):
    """A receiver that was made; `secret` is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**HOOK, "secret": "whsec_..."}]})

    secret: str | None = Field(description="What signs its messages; null when this answer is repeated.")


class Webhooks(BaseModel):
    """All receivers, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [HOOK]}]})

    items: list[WebhookRow]


class DeliveryRow(BaseModel):
    """One try to deliver a message."""

    model_config = ConfigDict(json_schema_extra={"examples": [DELIVERY]})

    id: int
    at: dt.datetime
    message_id: int
    channel: str
    event: str
    rule: str
    attempt: int
    ok: bool
    status: int | None = Field(description="HTTP status, where one was answered.")
    duration_ms: float
    error: str
    state: Literal["waiting", "delivered", "given_up"] = Field(description="What became of the message so far.")


class DeliveryPage(BaseModel):
    """Tries, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [DELIVERY], "next_cursor": None}]})

    items: list[DeliveryRow]
    next_cursor: str | None
