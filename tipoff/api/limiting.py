"""Rate limits per key and per client's address, in this process (library `limits`, fixed windows of a minute)."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from tipoff.api.problems import ProblemError

POLICY_SECONDS = 60


class Windows(Storage):
    """What is counted in windows, used by one thread (the event loop's).

    The library's own storage starts a thread up to a hundred times a second that looks at every client.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, float]] = {}
        self._sweep_at = 0.0

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Nothing here fails."""
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; a window begins with the first after the one before it, and lasts `expiry` seconds."""
        now = time.monotonic()
        if now > self._sweep_at:
            self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
            self._sweep_at = now + POLICY_SECONDS
        count, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + expiry
        self._windows[key] = (count + amount, ends)
        return count + amount

    def get(self, key: str) -> int:
        """What was counted in the window that is open now."""
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, as Unix time."""
        now = time.monotonic()
        return time.time() + self._windows.get(key, (0, now))[1] - now

    def check(self) -> bool:
        """It always works."""
        return True

    def reset(self) -> int | None:
        """Forget everything."""
        self._windows.clear()
        return None

    def clear(self, key: str) -> None:
        """Forget one."""
        self._windows.pop(key, None)


class Limiter:
    """Counts requests by kind ("read", "write", "failure") and client."""

    def __init__(self, reads: int, writes: int, failures: int) -> None:
        self._limiter = FixedWindowRateLimiter(Windows())
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
