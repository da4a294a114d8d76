"""Which models exist, which one forecasts, and what its filter knows."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from psycopg.types.json import Jsonb

from tipoff.errors import ConflictError
from tipoff.storage.pool import Connection


def register(connection: Connection, sha256: str, document: dict[str, Any], now: dt.datetime) -> None:
    """Note a trained model; the same one twice is one."""
    connection.execute(
        "insert into model_registry (sha256, created_at, document) values (%s, %s, %s) on conflict do nothing",
        (sha256, now, Jsonb(document)),
    )


def activate(connection: Connection, sha256: str) -> None:
    """Let this model forecast and no other, in the caller's transaction."""
    connection.execute("update model_registry set active = false where active and sha256 <> %s", (sha256,))
    connection.execute("update model_registry set active = true where sha256 = %s", (sha256,))


def active(connection: Connection) -> tuple[str, dict[str, Any]] | None:
    """sha256 and document of the model that forecasts."""
    row = connection.execute("select sha256, document from model_registry where active").fetchone()
    return None if row is None else (row[0], row[1])


@dataclasses.dataclass(frozen=True, slots=True)
class StoredState:
    """A filter state at a revision: the log entry it has seen last, and its npz."""

    revision: int
    last_arrival_id: int
    blob: bytes


def load_state(connection: Connection, sha256: str) -> StoredState | None:
    """The newest state of a model's filter."""
    row = connection.execute(
        "select revision, last_arrival_id, state from filter_states where model_sha256 = %s", (sha256,)
    ).fetchone()
    return None if row is None else StoredState(int(row[0]), int(row[1]), bytes(row[2]))


def save_state(
    connection: Connection, sha256: str, expected: StoredState | None, last_arrival_id: int, matches: int,
    blob: bytes, now: dt.datetime,
) -> None:  # fmt: skip
    """Compare and swap; raises ConflictError when the stored state is no longer the `expected` one."""
    if expected is None:
        cursor = connection.execute(
            "insert into filter_states (model_sha256, revision, last_arrival_id, matches, state, updated_at) "
            "values (%s, 1, %s, %s, %s, %s) on conflict do nothing",
            (sha256, last_arrival_id, matches, blob, now),
        )
    else:
        cursor = connection.execute(
            "update filter_states set revision = revision + 1, last_arrival_id = %s, matches = %s, state = %s, "
            "updated_at = %s where model_sha256 = %s and revision = %s",
            (last_arrival_id, matches, blob, now, sha256, expected.revision),
        )
    if cursor.rowcount != 1:
        raise ConflictError(f"another process has moved the filter of model {sha256[:12]} on; load it again")
