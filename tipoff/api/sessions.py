"""Who is signed in to the dashboard: a signed cookie that names a key, never the key itself."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import cookie_parser

from tipoff.settings import Settings

COOKIE = "tipoff_session"
LASTS = 12 * 3600
"""seconds after which one signs in again"""
PURPOSE = b"tipoff dashboard sessions"


class Sessions:
    """Makes and reads session cookies; every web process of a deployment reads those of the others.

    A session ends with its key: it names the key by its id, which is looked up at each request. One of
    OPERATOR_API_KEY ends when that setting changes, as the secret is made from it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @functools.cached_property
    def _secret(self) -> bytes:
        return hmac.digest(_material(self._settings), PURPOSE, "sha256")

    @functools.cached_property
    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256})

    def made(self, key_id: str) -> str:
        """The cookie's value for whoever holds the key with that id."""
        return str(self._signer.dumps([key_id, secrets.token_urlsafe(9)]))

    def key_id(self, value: str) -> str | None:
        """The id of the key that a cookie's value names; None where it is forged, damaged or too old."""
        try:
            found = self._signer.loads(value, max_age=LASTS)
        except BadData:
            return None
        return str(found[0])

    def token(self, value: str) -> str:
        """What each form of that session carries, so that no other site can send one."""
        return hmac.new(self._secret, b"form " + value.encode(), "sha256").hexdigest()[:32]

    def is_token(self, value: str, token: str) -> bool:
        """Whether a form came from a page of that session."""
        return hmac.compare_digest(self.token(value).encode(), token.encode())


def cookie_in(headers: dict[bytes, bytes], name: str = COOKIE) -> str | None:
    """The value of a cookie that a request carries, read as pages read it.

    The standard library's SimpleCookie finds none at all once another cookie of this host holds a quote or a space.

    >>> cookie_in({b"cookie": b'other={"a": 1}; tipoff_session=x'})
    'x'
    """
    return cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(name)


def _material(settings: Settings) -> bytes:
    """What the secret is made from: a setting that all processes share, or a file of this machine."""
    for shared in (settings.session_secret, settings.operator_key, settings.supabase_key, settings.database_url):
        if shared is not None:
            text = shared if isinstance(shared, str) else shared.get_secret_value()
            return (text + (settings.operator_key.get_secret_value() if settings.operator_key else "")).encode()
    return _kept(settings.home / "session-secret")


def _kept(path: Path) -> bytes:
    """The secret of this machine, made once; only its owner reads it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent) as file, contextlib.suppress(FileExistsError):
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.link(file.name, path)  # whole, or not at all: another process may make it at the same moment
    return path.read_bytes()
