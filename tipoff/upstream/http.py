"""A polite HTTP client: spaced requests, time-outs, and retries for what may pass."""

from __future__ import annotations

import dataclasses
import email.utils
import math
import random
import time
from collections.abc import Callable, Mapping

import httpx

from tipoff.errors import TerminalUpstreamError, TransientUpstreamError

HEADERS = {
    "Accept": "application/json",
    "Origin": "https://h2hggl.com",
    "Referer": "https://h2hggl.com/",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Tipoff/0.1",
}
MAX_BYTES = 20_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Manners:
    """How requests are made: spacing, time-outs and waits in seconds; no attempt begins later than `patience`."""

    spacing: float = 1.2
    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 160.0
    read_timeout: float = 25.0
    patience: float = math.inf
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class PoliteClient:
    """GET with manners; `name` is said in errors, so it must hold no secret."""

    def __init__(self, base_url: str, manners: Manners) -> None:
        self._manners = manners
        self._client = httpx.Client(
            base_url=base_url, headers=HEADERS, follow_redirects=False,
            timeout=httpx.Timeout(manners.read_timeout, connect=5.0),
        )  # fmt: skip
        self._next = 0.0

    def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer, whatever its status below 500 but 429.

        Raises TransientUpstreamError when every attempt failed in a way that may pass (429, 5xx, connection
        trouble, a body cut short), TerminalUpstreamError when the answer is absurd.
        """
        end = self._manners.monotonic() + self._manners.patience
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._once(path, params, headers)
            except TransientUpstreamError as error:
                wait = self._wait(attempt, error.retry_after)
                if attempt >= self._manners.attempts or self._manners.monotonic() + wait > end:
                    raise TransientUpstreamError(f"{error} ({attempt} attempts)", error.retry_after) from error
            self._manners.sleep(wait)

    def close(self) -> None:
        """Give back connections."""
        self._client.close()

    def _once(self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None) -> httpx.Response:
        pause = self._next - self._manners.monotonic()
        if pause > 0:
            self._manners.sleep(pause)
        self._next = self._manners.monotonic() + self._manners.spacing
        where = f"{self._client.base_url.host}{self._client.base_url.path.rstrip('/')}{path}"
        try:
            answer = self._client.get(path, params=dict(params), headers=dict(headers or {}))
        except httpx.TransportError as error:
            raise TransientUpstreamError(f"{where}: {type(error).__name__}: {error}") from error
        except httpx.HTTPError as error:
            raise TerminalUpstreamError(f"{where}: {type(error).__name__}: {error}") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.status_code >= 500:
            raise TransientUpstreamError(f"{where}: HTTP {answer.status_code}", _retry_after(answer))
        if len(answer.content) > MAX_BYTES:
            raise TerminalUpstreamError(f"{where}: an answer of {len(answer.content)} bytes is absurd")
        return answer

    def _wait(self, attempt: int, retry_after: float | None) -> float:
        """Full jitter under a doubling bound, or what the server asked for (with a little jitter)."""
        bound = min(self._manners.first_wait * 2 ** (attempt - 1), self._manners.longest_wait)
        if retry_after is not None:
            return min(retry_after, self._manners.longest_wait) + self._manners.chance()
        return float(bound * self._manners.chance())


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds the server asked to wait, from either form of the header."""
    value = answer.headers.get("Retry-After")
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
        sent = email.utils.parsedate_to_datetime(answer.headers["Date"])
    except (ValueError, KeyError):
        return None
    return max(float((when - sent).total_seconds()), 0.0)
