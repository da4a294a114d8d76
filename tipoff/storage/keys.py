"""API keys as they are stored, and answers that are repeated."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping

from psycopg.types.json import Jsonb

from tipoff.errors import ConflictError
from tipoff.storage.pool import Connection

TRIES = 5
KEPT = dt.timedelta(hours=24)
"""how long an answer is repeated to the same Idempotency-Key"""


@dataclasses.dataclass(frozen=True, slots=True)
class StoredKey:
    """One key, without what would let anybody use it; `hint` is how it begins."""

    id: uuid.UUID
    name: str
    scope: str
    hint: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None


COLUMNS = ", ".join(field.name for field in dataclasses.fields(StoredKey))


def add(
    connection: Connection, name: str, scope: str, sha256: str, hint: str, expires_at: dt.datetime | None
) -> StoredKey:
    """Store a new key."""
    [row] = connection.execute(
        f"insert into api_keys (name, scope, sha256, hint, expires_at) values (%s, %s, %s, %s, %s) "
        f"returning {COLUMNS}".encode(),
        (name, scope, sha256, hint, expires_at),
    ).fetchall()
    return StoredKey(*row)


def usable(connection: Connection, sha256: str) -> StoredKey | None:
    """The key with that hash, unless it is revoked or has expired by the database's clock."""
    row = connection.execute(
        f"select {COLUMNS} from api_keys where sha256 = %s and revoked_at is null "
        "and (expires_at is null or expires_at > clock_timestamp())".encode(),
        (sha256,),
    ).fetchone()
    return None if row is None else StoredKey(*row)


def usable_by_id(connection: Connection, key_id: uuid.UUID) -> StoredKey | None:
    """The key with that id, on the same terms."""
    row = connection.execute(
        f"select {COLUMNS} from api_keys where id = %s and revoked_at is null "
        "and (expires_at is null or expires_at > clock_timestamp())".encode(),
        (key_id,),
    ).fetchone()
    return None if row is None else StoredKey(*row)


def any_usable(connection: Connection) -> bool:
    """Whether anybody could write at all."""
    row = connection.execute(
        "select exists (select 1 from api_keys where revoked_at is null and scope <> 'read' "
        "and (expires_at is null or expires_at > clock_timestamp()))"
    ).fetchone()
    return bool(row and row[0])


def listed(
    connection: Connection, limit: int, before: tuple[dt.datetime, uuid.UUID] | None = None
) -> list[StoredKey]:
    """Keys, newest first; `before` is (created_at, id) of the last one seen."""
    rows = connection.execute(
        f"select {COLUMNS} from api_keys where (%(at)s::timestamptz is null or created_at < %(at)s "
        "or (created_at = %(at)s and id > %(id)s::uuid)) order by created_at desc, id limit %(limit)s".encode(),
        {"limit": limit, "at": before[0] if before else None, "id": before[1] if before else None},
    ).fetchall()
    return [StoredKey(*row) for row in rows]


def revoke(connection: Connection, key_id: uuid.UUID) -> StoredKey | None:
    """From now on the key is refused; None where there is none. Revoking again changes nothing."""
    row = connection.execute(
        f"update api_keys set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = %s "
        f"returning {COLUMNS}".encode(),
        (key_id,),
    ).fetchone()
    return None if row is None else StoredKey(*row)


def used(connection: Connection, moments: Mapping[uuid.UUID, dt.datetime]) -> None:
    """Note when keys were used last."""
    connection.execute(
        "update api_keys k set last_used_at = greatest(k.last_used_at, u.at) "
        "from unnest(%s::uuid[], %s::timestamptz[]) as u (id, at) where k.id = u.id",
        (list(moments), list(moments.values())),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer to be repeated, and the hash of the request it belongs to."""

    request_sha256: str
    status: int
    headers: dict[str, str]
    body: bytes


def reserve(connection: Connection, principal: str, key: str, request_sha256: str) -> KeptAnswer | None:
    """Take the key in the caller's transaction; the kept answer where it was taken before.

    Waits for another transaction that has it; expired answers are forgotten.
    """
    for _ in range(TRIES):
        taken, kept = _reserve(connection, principal, key, request_sha256)
        if taken or kept is not None:
            return kept
    raise ConflictError("this Idempotency-Key comes and goes")


def _reserve(connection: Connection, principal: str, key: str, sha256: str) -> tuple[bool, KeptAnswer | None]:
    """Whether the key was free and is taken now, and else the kept answer; neither where it was just forgotten."""
    values = {"principal": principal, "key": key, "sha256": sha256, "kept": KEPT}
    connection.execute(
        "delete from idempotency_keys where principal = %(principal)s and key = %(key)s "
        "and expires_at <= clock_timestamp()",
        values,
    )
    done = connection.execute(
        "insert into idempotency_keys (principal, key, request_sha256, status, body, expires_at) "
        "values (%(principal)s, %(key)s, %(sha256)s, 200, '', clock_timestamp() + %(kept)s) on conflict do nothing",
        values,
    ).rowcount
    if done:
        return True, None
    row = connection.execute(
        "select request_sha256, status, headers, body from idempotency_keys "
        "where principal = %(principal)s and key = %(key)s",
        values,
    ).fetchone()
    return False, None if row is None else KeptAnswer(row[0], int(row[1]), row[2], bytes(row[3]))


def keep(
    connection: Connection, principal: str, key: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """The answer to what the key was taken for, in the same transaction."""
    connection.execute(
        "update idempotency_keys set status = %s, headers = %s, body = %s where principal = %s and key = %s",
        (status, Jsonb(dict(headers)), body, principal, key),
    )


def forget_expired(connection: Connection) -> int:
    """Delete answers that are repeated no longer; returns how many."""
    return connection.execute("delete from idempotency_keys where expires_at <= clock_timestamp()").rowcount
