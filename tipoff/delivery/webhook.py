"""Deliver one message to one webhook, signed."""

from __future__ import annotations

import json
import socket
import ssl
import time

import httpcore

import tipoff
from tipoff.delivery import guard, pinned, signing
from tipoff.delivery.guard import Resolver
from tipoff.errors import AddressError
from tipoff.storage.outbox import Message, Tried
from tipoff.storage.webhooks import Webhook

PATIENCE = 10.0
"""seconds for all of it"""
REFUSED = frozenset({400, 401, 403, 404, 405, 410, 413, 422})
"""answers after which another try is pointless"""
DOWN = frozenset({429, 502, 503, 504})
"""answers that say that the receiver is not there or not now, whatever the message"""


def body_of(message: Message) -> bytes:
    """What is sent, in this attempt, as JSON."""
    said = {
        "message_id": message.id, "attempt": message.attempt, "may_be_a_repeat": message.attempt > 1,
        **message.payload["notice"],
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def deliver(
    hook: Webhook, message: Message, *, allow_private: bool = False, resolver: Resolver = socket.getaddrinfo,
    tls: ssl.SSLContext | None = None, patience: float = PATIENCE,
) -> Tried:  # fmt: skip
    """Post the message; what came of it, said without path, query and secret."""
    begun = time.monotonic()
    try:
        place = guard.parsed(hook.url, allow_private=allow_private)
    except AddressError as error:
        return Tried(str(error), final=True)
    body = body_of(message)
    headers = {
        "Content-Type": "application/json", "User-Agent": f"Tipoff/{tipoff.__version__}",
        **signing.headers(hook.secret, message.taken_at, body, message.id, message.attempt),
    }  # fmt: skip
    status = None
    try:
        target = guard.resolved(place, resolver, patience / 2)
        status = pinned.post(target, headers, body, patience - (time.monotonic() - begun), tls)
        error_text = _judged(status)
    except AddressError as error:
        error_text = str(error)
    except (httpcore.TimeoutException, TimeoutError) as error:
        error_text = f"no answer within {patience:g} s ({type(error).__name__})"
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        error_text = f"{type(error).__name__}: {error}"
    return Tried(
        error_text, status, 1000 * (time.monotonic() - begun), final=status in REFUSED,
        answered=status is not None and status not in DOWN,
    )  # fmt: skip


def _judged(status: int) -> str:
    """What is wrong with an answer; empty where nothing is."""
    if 200 <= status < 300:
        return ""
    return f"HTTP {status}" + (": redirects are not followed" if 300 <= status < 400 else "")
