"""Deliver what waits: each message is taken, sent and noted, so that whoever is killed repeats one at most."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from tipoff.delivery import webhook
from tipoff.delivery.channels import Channel
from tipoff.delivery.notice import from_json
from tipoff.storage import outbox, webhooks
from tipoff.storage.outbox import APPRISE, WEBHOOK, Message, Tried
from tipoff.storage.pool import Pool

AT_MOST = 500
"""messages in one go"""
Send = Callable[[Message], Tried]


def deliver(
    pool: Pool, send: Send, *, more: Callable[[], bool] = lambda: True, now: dt.datetime | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:  # fmt: skip
    """Send what is due while `more()`; a channel that fails is left for the next time. Counts of what came of it."""
    done = {"delivered": 0, "failed": 0}
    down: list[str] = []
    while sum(done.values()) < AT_MOST and more():
        with pool.connection() as connection:
            message = outbox.take(connection, down, now)
        if message is None:
            break
        tried = send(message)
        with pool.connection() as connection:
            outbox.note(connection, message, tried, now)
        done["failed" if tried.error else "delivered"] += 1
        if tried.error:
            say(f"message {message.id} to {message.channel}, attempt {message.attempt}: {tried.error}")
            if not tried.final:
                down.append(message.channel)
    return done


def sender(pool: Pool, channels: Sequence[Channel], *, allow_private: bool) -> Send:
    """What sends a message of any kind."""
    urls = {channel.name: channel.url for channel in channels}

    def send(message: Message) -> Tried:
        try:
            if message.kind == WEBHOOK:
                return _to_webhook(pool, message, allow_private)
            if message.kind == APPRISE:
                return _to_channel(urls.get(message.channel), message)
        except (KeyError, TypeError, ValueError) as error:
            return Tried(f"this is no message that can be delivered: {type(error).__name__} {error}", final=True)
        return Tried(f"nobody delivers messages of kind {message.kind!r}", final=True)

    return send


def _to_webhook(pool: Pool, message: Message, allow_private: bool) -> Tried:
    from_json(message.payload["notice"])
    with pool.connection() as connection:
        hook = webhooks.get(connection, uuid.UUID(message.payload["webhook"]))
    if hook is None or not hook.enabled:
        return Tried("the webhook was removed or switched off", final=True)
    return webhook.deliver(hook, message, allow_private=allow_private)


def _to_channel(url: str | None, message: Message) -> Tried:
    notice = from_json(message.payload["notice"])
    if url is None:
        return Tried("this worker's TIPOFF_ALERT_URLS has no such channel")
    from tipoff.delivery import apprise_channel

    return apprise_channel.deliver(url, notice, message.attempt)
