"""Write what is to be told, in the transaction that caused it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from tipoff.delivery.notice import Notice
from tipoff.storage import outbox, webhooks
from tipoff.storage.outbox import APPRISE, WEBHOOK
from tipoff.storage.pool import Connection
from tipoff.storage.webhooks import Webhook


def announce(
    connection: Connection, channels: Sequence[str], notice: Notice, not_before: dt.datetime | None = None,
    now: dt.datetime | None = None,
) -> int:  # fmt: skip
    """One message for each enabled webhook and each of `channels` (their public names); returns how many.

    A message a receiver, so that one that is down holds up nobody else.
    """
    hooks = [hook for hook in webhooks.listed(connection) if hook.enabled]
    for hook in hooks:
        tell_webhook(connection, hook, notice, not_before, now)
    for channel in channels:
        outbox.put(connection, APPRISE, channel, {"notice": notice.as_json()}, not_before, now)
    return len(hooks) + len(channels)


def receivers(connection: Connection, channels: Sequence[str]) -> int:
    """How many there are to be told."""
    return len(channels) + sum(hook.enabled for hook in webhooks.listed(connection))


def tell_webhook(
    connection: Connection, hook: Webhook, notice: Notice, not_before: dt.datetime | None = None,
    now: dt.datetime | None = None,
) -> int:  # fmt: skip
    """A message for one webhook; its id."""
    payload = {"webhook": str(hook.id), "notice": notice.as_json()}
    return outbox.put(connection, WEBHOOK, hook.channel, payload, not_before, now)
