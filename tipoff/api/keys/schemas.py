"""What the API says of keys."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tipoff.api.access import Scope

KEY: dict[str, Any] = {
    "id": "7b1e2c7a-2f63-4c58-8f0e-0e8f6a1f2d33", "name": "dashboard", "scope": "operate", "hint": "tipoff_Ab12",
    "created_at": "2026-11-25T05:00:00Z", "expires_at": None, "last_used_at": None, "revoked_at": None,
}  # fmt: skip


class KeyRequest(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "dashboard", "scope": "operate", "days": 90}]}
    )

    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$", description="Whose it is.")
    scope: Scope
    days: float | None = Field(
        None, gt=0, le=3650, strict=True, description="After how many days it expires; null: never."
    )


class KeyRow(BaseModel):
    """A key, without what would let anybody use it."""

    model_config = ConfigDict(json_schema_extra={"examples": [KEY]})

    id: uuid.UUID
    name: str
    scope: Scope
    hint: str = Field(description="How the key begins.")
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None = Field(description="To the second or so.")
    revoked_at: dt.datetime | None


class NewKey(KeyRow):
    """A key that was made; `key` is shown this once and stored nowhere."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**KEY, "key": "tipoff_Ab12..."}]})

    key: str | None = Field(description="The key itself; null when this answer is repeated.")


class KeyPage(BaseModel):
    """Keys, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [KEY], "next_cursor": None}]})

    items: list[KeyRow]
    next_cursor: str | None
