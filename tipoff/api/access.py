"""Who asks, and what they may do: API keys with scopes, of which only the SHA-256 is kept."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import hashlib
import hmac
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from tipoff.api.problems import ProblemError
from tipoff.storage.keys import StoredKey

PREFIX = "tipoff_"
HINT = len(PREFIX) + 4
REMEMBERED = 0.5
"""seconds for which a key that was looked up counts without asking again"""
LATEST = 0.8
"""seconds for which it counts while one request asks again: how late a revocation is noticed"""
MOST_REMEMBERED = 10_000

MASTER_ID = "operator"
"""in place of an id: OPERATOR_API_KEY; no hash reads like it, so no key that is sent can be it"""


class Scope(enum.StrEnum):
    """What a key may do; each includes those before it."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        """Whether this scope may do what needs the other."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclasses.dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key, or an address without one (scope None)."""

    id: str
    name: str
    scope: Scope | None


def new_key() -> tuple[str, str, str]:
    """A random key of 256 bits, its SHA-256, and how it begins."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, hashed(key), key[:HINT]


def hashed(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def given_key(headers: dict[bytes, bytes]) -> str | None:
    """The key in `Authorization: Bearer` or `X-API-Key`; raises ProblemError where the header is something else."""
    if own := headers.get(b"x-api-key"):
        return own.decode("latin-1").strip()
    header = headers.get(b"authorization")
    if header is None:
        return None
    kind, _, value = header.decode("latin-1").partition(" ")
    if kind.lower() != "bearer" or not value.strip():
        raise refused("Authorization must be: Bearer <key>")
    return value.strip()


def refused(why: str) -> ProblemError:
    """401."""
    return ProblemError(401, why, headers={"WWW-Authenticate": 'Bearer realm="tipoff"'})


def nobody(scope: Mapping[str, Any], why: str) -> ProblemError:
    """401; where it could not be asked whose session it is, why that was: signing in again would be of no use."""
    found: ProblemError | None = scope.get("unasked")
    return found or refused(why)


class Keys:
    """Keys that were looked up just now, by their mark (hash, or id); safe to use from many threads."""

    def __init__(self, look_up: Callable[[str | uuid.UUID], StoredKey | None], master: str | None) -> None:
        self._look_up, self._master = look_up, hashed(master) if master else None
        self._known: dict[str | uuid.UUID, tuple[float, Principal | None]] = {}
        self._asked: dict[str | uuid.UUID, float] = {}
        self._used: dict[uuid.UUID, dt.datetime] = {}
        self._lock = threading.Lock()

    @property
    def has_master(self) -> bool:
        """Whether OPERATOR_API_KEY is set."""
        return self._master is not None

    def remembered(self, mark: str | uuid.UUID) -> tuple[bool, Principal | None]:
        """Whether the key was looked up just now, and whose it is."""
        if self._is_master(mark):
            return True, Principal(MASTER_ID, "OPERATOR_API_KEY", Scope.ADMIN)
        now = time.monotonic()
        at, principal = self._known.get(mark, (-1e9, None))
        if now - at > REMEMBERED and (now - at > LATEST or self._asked.get(mark, at) <= at):
            self._asked[mark] = now
            return False, None
        self._note(principal)
        return True, principal

    def _is_master(self, mark: str | uuid.UUID) -> bool:
        if self._master is None or isinstance(mark, uuid.UUID):
            return False
        return mark == MASTER_ID or hmac.compare_digest(mark, self._master)

    def look_up(self, mark: str | uuid.UUID) -> Principal | None:
        """Whose key it is by the database; None where it is unknown, revoked or has expired."""
        begun = time.monotonic()
        stored = None if mark == MASTER_ID else self._look_up(mark)
        principal = None if stored is None else Principal(str(stored.id), stored.name, Scope(stored.scope))
        with self._lock:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
                self._asked.clear()
            self._known[mark] = (begun, principal)
        self._note(principal)
        return principal

    def _note(self, principal: Principal | None) -> None:
        if principal is not None:
            with self._lock:
                self._used[uuid.UUID(principal.id)] = dt.datetime.now(dt.UTC)

    def take_used(self) -> dict[uuid.UUID, dt.datetime]:
        """When keys were used since the last call."""
        with self._lock:
            used, self._used = self._used, {}
        return used

    def give_back(self, used: dict[uuid.UUID, dt.datetime]) -> None:
        """What could not be kept, for the next time."""
        with self._lock:
            self._used = {**used, **self._used}
