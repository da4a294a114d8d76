"""Who is there: the id of a request, the address it comes from, and whose key it carries."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import uuid

import psycopg
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from tipoff.api import problems
from tipoff.api.access import MASTER_ID, Principal, given_key, hashed, refused
from tipoff.api.backend import Backend
from tipoff.api.problems import AwayError, ProblemError
from tipoff.api.sessions import cookie_in
from tipoff.errors import StorageError

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
LOOPBACK = "127.0.0.1"
Headers = dict[bytes, bytes]


def request_id(headers: Headers) -> str:
    """The id that the client gave, or a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex[:20]


class Admission:
    """Finds out who asks, of requests and of WebSockets alike."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        settings = backend.settings
        header = settings.client_header or ("CF-Connecting-IP" if settings.render else None)
        self._client_header = header.lower().encode() if header else None
        self._forwarded = "FORWARDED_ALLOW_IPS" in os.environ

    def client(self, scope: Scope, headers: Headers) -> str:
        """The client's address: the peer, or what the trusted proxy says where one is configured.

        The server takes the address from X-Forwarded-For for peers on this machine by itself; that is not believed
        unless FORWARDED_ALLOW_IPS says whom the operator trusts.
        """
        if self._client_header is not None and (told := headers.get(self._client_header)):
            return told.decode("latin-1").strip()[:64]
        host = str((scope.get("client") or ("unknown", 0))[0])
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
        if host in forwarded and not self._forwarded:
            return LOOPBACK
        return network(host)

    async def admit(self, scope: Scope, headers: Headers) -> Principal:
        """Whose request it is, also put into its scope, with what asks later whether the key still counts."""
        principal = scope["principal"] = await self.principal(scope, headers)
        scope["still_known"] = functools.partial(self._still_known, headers)
        return principal

    async def _still_known(self, headers: Headers) -> bool:
        """Whether the key counts as far as can be told; asking again is no attempt to guess one."""
        mark = self._mark(headers) or ""
        known, principal = self.backend.keys.remembered(mark)
        if known:
            return principal is not None
        try:
            return await run_in_threadpool(self.backend.keys.look_up, mark) is not None
        except (AwayError, StorageError, psycopg.Error):
            return True

    async def principal(self, scope: Scope, headers: Headers) -> Principal:
        """Whose key it is, or the address where none is sent; raises ProblemError (401, 429, 503).

        A browser that is signed in sends a cookie: it counts for pages, and for reading over HTTP.
        """
        failures = f"address {self.client(scope, headers)}"
        try:
            mark = self._mark(headers) if _takes_cookies(scope) or given_key(headers) else None
        except ProblemError:
            self.backend.limiter.count("failure", failures)
            raise
        anybody = Principal(failures, "", None)
        if mark is None:
            return anybody
        signed_in = given_key(headers) is None
        try:
            principal = await self.whose(mark, failures)
        except ProblemError as problem:
            if signed_in:  # nobody can say whose session it is: what everybody may see can still be shown
                scope["unasked"] = problem
                return anybody
            raise
        if principal is not None or signed_in:  # a session ends with its key: who had it is a viewer again
            return principal or anybody
        self.backend.limiter.count("failure", failures)
        raise refused("this key is unknown, revoked or has expired: make one with tipoff keys create")

    async def whose(self, mark: str | uuid.UUID, failures: str) -> Principal | None:
        """Whose key has that mark; raises ProblemError where it cannot be asked, or too often failed."""
        known, principal = self.backend.keys.remembered(mark)
        if known:
            return principal
        self.backend.limiter.check("failure", failures)
        try:
            return await run_in_threadpool(self.backend.keys.look_up, mark)
        except Exception as error:
            raise problems.problem_of(error) from error

    def _mark(self, headers: Headers) -> str | uuid.UUID | None:
        """The hash of the key that was sent, else the id that the session's cookie names."""
        key = given_key(headers)
        if key is not None:
            return hashed(key)
        cookie = cookie_in(headers)
        key_id = self.backend.sessions.key_id(cookie) if cookie else None
        return key_id if key_id is None or key_id == MASTER_ID else uuid.UUID(key_id)


def _takes_cookies(scope: Scope) -> bool:
    """A cookie comes along with whatever a page of another site sends: of the API it opens reading alone."""
    return scope["type"] == "http" and (scope["method"] in ("GET", "HEAD") or not scope["path"].startswith("/api/"))


def network(host: str) -> str:
    """Whom an address belongs to: itself, or of IPv6 the /64 that one customer has.

    >>> network("9.9.9.9"), network("2001:db8:1:2:3:4:5:6")
    ('9.9.9.9', '2001:db8:1:2::/64')
    """
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network(f"{host.partition('%')[0]}/64", strict=False))
    except ValueError:
        return host[:64]
