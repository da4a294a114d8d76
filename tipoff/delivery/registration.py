"""A new webhook: what is checked, and its secret."""

from __future__ import annotations

import re
import secrets

from tipoff.delivery import guard
from tipoff.errors import InputError
from tipoff.storage import webhooks
from tipoff.storage.pool import Connection
from tipoff.storage.webhooks import Webhook

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
SECRET = re.compile(r"[!-~]{16,200}")


def register(
    connection: Connection, name: str, url: str, secret: str | None = None, *, allow_private: bool = False
) -> Webhook:
    """Store a receiver; its name is resolved, and the addresses judged, at each delivery.

    Raises InputError that says what is wrong, ConflictError where the name is taken.
    """
    if not NAME.fullmatch(name):
        raise InputError("a webhook has a name of 1 to 64 letters, digits, spaces, dots and hyphens")
    if secret is not None and not SECRET.fullmatch(secret):
        raise InputError("a webhook's secret has 16 to 200 printable ASCII characters without spaces")
    guard.parsed(url, allow_private=allow_private)
    return webhooks.add(connection, name, url, secret or f"whsec_{secrets.token_urlsafe(32)}")


def shown_address(hook: Webhook) -> str:
    """Where it leads, without what may be secret."""
    return guard.parsed(hook.url, allow_private=True).shown
