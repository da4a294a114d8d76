"""Who is told of alerts over HTTP."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from tipoff.errors import ConflictError
from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver; address and secret are not for showing."""

    id: uuid.UUID
    name: str
    url: str = dataclasses.field(repr=False)
    secret: str = dataclasses.field(repr=False)
    enabled: bool
    created_at: dt.datetime

    @property
    def channel(self) -> str:
        """What its messages in the outbox are filed under."""
        return f"webhook:{self.name}"


COLUMNS = ", ".join(field.name for field in dataclasses.fields(Webhook))


def add(connection: Connection, name: str, url: str, secret: str) -> Webhook:
    """Store a receiver; raises ConflictError where the name is taken."""
    row = connection.execute(
        "insert into webhooks (name, url, secret) values (%s, %s, %s) on conflict (name) do nothing "
        f"returning {COLUMNS}".encode(),
        (name, url, secret),
    ).fetchone()
    if row is None:
        raise ConflictError(f"there is a webhook {name!r} already: remove it first, or take another name")
    return Webhook(*row)


def listed(connection: Connection) -> list[Webhook]:
    """All of them, by name."""
    return [Webhook(*row) for row in connection.execute(f"select {COLUMNS} from webhooks order by name".encode())]


def get(connection: Connection, webhook_id: uuid.UUID) -> Webhook | None:
    """The one of that id."""
    row = connection.execute(f"select {COLUMNS} from webhooks where id = %s".encode(), (webhook_id,)).fetchone()
    return None if row is None else Webhook(*row)


def named(connection: Connection, name: str) -> Webhook | None:
    """The one of that name."""
    row = connection.execute(f"select {COLUMNS} from webhooks where name = %s".encode(), (name,)).fetchone()
    return None if row is None else Webhook(*row)


def remove(connection: Connection, webhook_id: uuid.UUID) -> Webhook | None:
    """Delete it, and give up what still waits for it; None where there is none."""
    row = connection.execute(
        f"delete from webhooks where id = %s returning {COLUMNS}".encode(), (webhook_id,)
    ).fetchone()
    if row is None:
        return None
    gone = Webhook(*row)
    connection.execute(
        "update outbox set given_up_at = clock_timestamp(), taken_at = null, error = 'the webhook was removed' "
        "where channel = %s and delivered_at is null and given_up_at is null",
        (gone.channel,),
    )
    return gone
