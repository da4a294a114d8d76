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
            raise _too_many(item.amount, kind, seconds, headers)
        return headers

    def check(self, kind: str, client: str) -> None:
        """Raise ProblemError (429) where one more would be beyond the limit; counts nothing."""
        item = self._items[kind]
        if not self._limiter.test(item, kind, client):
            reset, _ = self._limiter.get_window_stats(item, kind, client)
            raise _too_many(item.amount, kind, max(1, math.ceil(reset - time.time())), {})


def _too_many(amount: int, kind: str, seconds: int, headers: dict[str, str]) -> ProblemError:
    said = f"more than {amount} requests of this kind ({kind}) in a minute: wait {seconds} s"
    return ProblemError(429, said, headers={**headers, "Retry-After": str(seconds)})
