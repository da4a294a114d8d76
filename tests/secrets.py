"""Every secret that can be set, and whether any of them is shown somewhere, in whatever spelling."""

from __future__ import annotations

import base64
from urllib.parse import quote

from tests.web import MASTER

TOKEN, SERVICE, PASSWORD, OWNER = "guest+t0ken/1", "sb_secret_Service-r0le", "p4ss/w0rd+pg", "0wner?p4ss=pg"
COMMAND, CHANNEL = "printf command-s3cret", "json://alerts:ch4nnel-pass@127.0.0.1:9/hook-s3cret"
SECRETS = {
    "TIPOFF_H2H_2025_TOKEN": TOKEN, "TIPOFF_H2H_2025_TOKEN_COMMAND": COMMAND, "OPERATOR_API_KEY": MASTER,
    "SUPABASE_SERVICE_ROLE_KEY": SERVICE, "TIPOFF_ALERT_URLS": CHANNEL,
}  # fmt: skip
"""as they are set, but for the addresses of databases"""
VALUES = (TOKEN, SERVICE, PASSWORD, OWNER, COMMAND, MASTER, CHANNEL)


def spellings(secret: str) -> list[str]:
    """As it is, percent-encoded, in base64."""
    raw = secret.encode()
    return [
        secret, quote(secret, safe=""), base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="), raw.hex(),
    ]  # fmt: skip


def shown(text: str) -> list[str]:
    """Secrets that are in a text."""
    return [secret for secret in VALUES if any(one in text for one in spellings(secret))]
