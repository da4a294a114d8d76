"""How a webhook's receiver can tell that a message is ours, fresh, and whether it may be a repeat."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The HMAC-SHA256 of "<timestamp>.<body>", with the version of this rule.

    >>> signature("a secret of the two", 1782000000, b"{}")[:12]
    'v1=5a3ac9b00'
    """
    signed = str(timestamp).encode() + b"." + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def headers(secret: str, at: dt.datetime, body: bytes, message_id: int, attempt: int) -> dict[str, str]:
    """Headers of a delivery that is made at `at`."""
    timestamp = int(at.timestamp())
    found = {
        "Tipoff-Timestamp": str(timestamp), "Tipoff-Signature": signature(secret, timestamp, body),
        "Tipoff-Message-Id": str(message_id), "Tipoff-Attempt": str(attempt),
    }  # fmt: skip
    return found | ({"Tipoff-May-Be-A-Repeat": "true"} if attempt > 1 else {})
