"""What opens the door: secrets that can be guessed, origins, proxies, webhooks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tipoff.refusals.addresses import place_of
from tipoff.refusals.given import PLACEHOLDER, Fault, Given

SHORTEST = 16
"""characters of a secret that people choose"""
GUESSED = ("changeme", "change-me", "password", "secret-key", "12345678")
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@*]+")
SPOOFABLE = ("x-forwarded-for", "forwarded")


def secrets(given: Given) -> Iterator[Fault]:
    """Secrets that people chose."""
    for name, field in (("OPERATOR_API_KEY", "operator_key"), ("TIPOFF_SESSION_SECRET", "session_secret")):
        value = getattr(given.settings, field)
        if value is not None and _weak(value.get_secret_value()):
            yield Fault(
                name, "can be guessed",
                f"at least {SHORTEST} printable ASCII characters that nobody chose: openssl rand -base64 32",
            )  # fmt: skip


def _weak(text: str) -> bool:
    """Whether somebody could guess it, or no header can carry it."""
    short = len(text) < SHORTEST or len(set(text)) < SHORTEST // 3
    guessed = text.startswith(PLACEHOLDER) or any(word in text.lower() for word in GUESSED)
    return short or guessed or not text.isascii() or not text.isprintable()


def twice(given: Given) -> Iterator[Fault]:
    """One secret for two doors."""
    place = place_of(given.secret("database_url") or "")
    used = {
        "SUPABASE_ANON_KEY": given.secret("anon_key"), "SUPABASE_SERVICE_ROLE_KEY": given.secret("supabase_key"),
        "the password of DATABASE_URL": place.password if place else None,
        "TIPOFF_SESSION_SECRET": given.secret("session_secret"), "OPERATOR_API_KEY": given.secret("operator_key"),
    }  # fmt: skip
    first: dict[str, str] = {}
    for name, value in used.items():
        if value and value in first:
            yield Fault(name, f"is the same secret as {first[value]}", "give each its own: who has one has the other")
        elif value:
            first[value] = name


def origins(given: Given) -> Iterator[Fault]:
    """Whose pages may read the API."""
    for origin in given.settings.cors_origins:
        if origin != "*" and not ORIGIN.fullmatch(origin):
            yield Fault(
                "CORS_ORIGINS", f"has {origin[:60]!r}, which no browser sends as an origin",
                'give origins without a path, like ["https://example.org"], or ["*"]',
            )  # fmt: skip


def proxies(given: Given) -> Iterator[Fault]:
    """Who says which address a client has."""
    header = given.settings.client_header
    if given.public and header and header.lower() in SPOOFABLE:
        yield Fault(
            "TIPOFF_CLIENT_HEADER", f"is {header}, to which clients can add what they like",
            "have the proxy put the address into a header that it overwrites, like X-Real-IP",
        )  # fmt: skip
    decided = header or given.settings.render  # on Render CF-Connecting-IP decides
    if given.public and not decided and "*" in given.environment.get("FORWARDED_ALLOW_IPS", ""):
        yield Fault(
            "FORWARDED_ALLOW_IPS", "is *: whoever asks may say to be somebody else",
            "name the proxy's addresses, or set TIPOFF_CLIENT_HEADER",
        )  # fmt: skip


def webhooks(given: Given) -> Iterator[Fault]:
    """Where webhooks may lead."""
    if given.public and given.settings.webhooks_private:
        yield Fault(
            "TIPOFF_WEBHOOKS_PRIVATE", "lets webhooks into the network behind a public deployment",
            "take it away; it is for one's own machine",
        )  # fmt: skip
