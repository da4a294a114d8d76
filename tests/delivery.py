"""What tests of deliveries share: a notice, a webhook to a receiver, one round of the delivering job."""

from __future__ import annotations

import datetime as dt

from tests.receiver import Receiver
from tipoff.delivery.announce import announce
from tipoff.delivery.channels import Channel
from tipoff.delivery.deliver import deliver, sender
from tipoff.delivery.notice import Notice
from tipoff.storage import webhooks
from tipoff.storage.pool import Pool
from tipoff.storage.webhooks import Webhook

SECRET = "a secret of the tests"
T0 = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


def minutes(n: float) -> dt.datetime:
    """That many minutes of test time after the beginning."""
    return T0 + dt.timedelta(minutes=n)


def notice(n: int = 1) -> Notice:
    """What happened to alert `n`."""
    return Notice(n, "no_workers", "", "error", "opened", f"number {n}", "start a worker", T0, T0)


def hook(pool: Pool, receiver: Receiver, name: str = "ops") -> Webhook:
    """A webhook to that receiver."""
    with pool.connection() as connection:
        return webhooks.add(connection, name, receiver.url, SECRET)


def tell(pool: Pool, *numbers: int, channels: tuple[Channel, ...] = (), now: dt.datetime | None = None) -> None:
    """One notice a number."""
    with pool.connection() as connection:
        for n in numbers:
            announce(connection, [channel.name for channel in channels], notice(n), now=now)


def round_of(pool: Pool, now: dt.datetime | None = None, channels: tuple[Channel, ...] = ()) -> dict[str, int]:
    """What the job does, at that moment."""
    return deliver(pool, sender(pool, channels, allow_private=True), now=now)


def states(pool: Pool) -> list[tuple[object, ...]]:
    """(attempts, delivered, given up, error) of every message."""
    with pool.connection() as connection:
        return connection.execute(
            "select attempts, delivered_at is not null, given_up_at is not null, error from outbox order by id"
        ).fetchall()
