"""Rate limits per key and per client's address, in this process (library `limits`, fixed windows of a minute)."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from tipoff.api.problems import ProblemError

POLICY_SECONDS = 60


class Limiter:
    """Counts requests by kind ("read", "write", "failure") and client."""

    def __init__(self, reads: int, writes: int, failures: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._items = {
            "read": RateLimitItemPerMinute(reads),
            "write": RateLimitItemPerMinute(writes),
            "failure": RateLimitItemPerMinute(failures),
        }

    def count(self, kind: str, client: str) -> dict[str, str]:
        """Count one request; the headers that tell the client. Raises ProblemError (429) beyond the limit."""
        item = self._items[kind]
        within = self._limiter.hit(item, kind, client)
        reset, remaining = self._limiter.get_window_stats(item, kind, client)
        seconds = max(1, math.ceil(reset - time.time()))
        headers = {
            "RateLimit-Policy": f"{item.amount};w={POLICY_SECONDS}", "RateLimit-Limit": str(item.amount),
            "RateLimit-Remaining": str(remaining), "RateLimit-Reset": str(seconds),
        }  # fmt: skip
        if not within:
            raise ProblemError(
                429, f"more than {item.amount} requests of this kind ({kind}) in a minute: wait {seconds} s",
                headers={**headers, "Retry-After": str(seconds)},
            )  # fmt: skip
        return headers
