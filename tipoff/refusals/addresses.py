"""What the words of Supabase and of Postgres' addresses say: whose key it is, which project, which host."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import enum
import ipaddress
import json
import re
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

SSL_MODES = ("", "disable", "allow", "prefer", "require", "verify-ca", "verify-full")
PROJECT = re.compile(r"(?:db\.)?([a-z0-9-]+)\.supabase\.(?:co|in|red)")


class Key(enum.Enum):
    """Whom a key of Supabase is for."""

    PUBLIC = 1
    USER = 2
    SECRET = 3
    UNKNOWN = 4


@dataclasses.dataclass(frozen=True, slots=True)
class KeyRead:
    """What a key says of itself; older keys name their project."""

    kind: Key
    project: str | None = None


def read_key(text: str) -> KeyRead:
    """Whom a key is for: by how a newer one begins, or by the claims of an older one (a JWT).

    >>> read_key("sb_publishable_x").kind, read_key("sb_secret_x").kind, read_key("x").kind
    (<Key.PUBLIC: 1>, <Key.SECRET: 3>, <Key.UNKNOWN: 4>)
    """
    if text.startswith("sb_"):
        return KeyRead({"publishable": Key.PUBLIC, "secret": Key.SECRET}.get(text.split("_")[1], Key.UNKNOWN))
    claims = _claims(text)
    kinds = {"anon": Key.PUBLIC, "authenticated": Key.USER, "service_role": Key.SECRET}
    return KeyRead(kinds.get(str(claims.get("role")), Key.UNKNOWN), claims.get("ref"))


def _claims(text: str) -> dict[str, Any]:
    """What a JWT claims, unverified; nothing where it is none."""
    parts = text.split(".")
    with contextlib.suppress(ValueError):
        if len(parts) == 3:
            found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return found if isinstance(found, dict) else {}
    return {}


def project_of(url: str | None) -> str | None:
    """The project's reference in an address of Supabase; None in any other one.

    >>> project_of("https://abc.supabase.co"), project_of("https://data.example.org"), project_of(None)
    ('abc', None, None)
    """
    with contextlib.suppress(ValueError):
        found = PROJECT.fullmatch(urlsplit(url or "").hostname or "")
        return found[1] if found else None
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where the address of a database leads, as whom."""

    host: str
    port: str
    user: str
    password: str
    sslmode: str

    @property
    def role(self) -> str:
        """The role; behind Supabase's pooler the user is role.project."""
        return self.user.partition(".")[0]

    @property
    def project(self) -> str | None:
        """The Supabase project, where it is one."""
        if self.host.endswith(".pooler.supabase.com"):
            return self.user.partition(".")[2] or None
        return project_of(f"//{self.host}")


def place_of(address: str) -> Place | None:
    """What an address says; None where it is none of a Postgres.

    >>> place_of("postgresql://postgres.abc:pw@aws-0-eu.pooler.supabase.com:5432/postgres").project
    'abc'
    >>> place_of("https://abc.supabase.co"), place_of("postgresql://me:p@ss@host/name"), place_of("")
    (None, None, None)
    """
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(address).items()}
    except (psycopg.ProgrammingError, UnicodeError):
        return None
    place = Place(*(found.get(name, "") for name in ("host", "port", "user", "password", "sslmode")))
    ports = [one for one in place.port.split(",") if one]
    usable = found and "@" not in place.host and place.sslmode in SSL_MODES
    return place if usable and all(one.isdecimal() and 1 <= int(one) <= 65535 for one in ports) else None


def is_near(host: str) -> bool:
    """Whether a host is this machine: by name, by address, or a socket's folder."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def on_a_private_network(host: str) -> bool:
    """Whether no packet for a host (or several, between commas) crosses the internet, by its name or address.

    >>> on_a_private_network("dpg-abc-a"), on_a_private_network("10.0.0.7"), on_a_private_network("db.example.org")
    (True, True, False)
    """
    if "," in host:
        return all(on_a_private_network(one) for one in host.split(","))
    if is_near(host):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_private
    return "." not in host or host.endswith((".internal", ".local", ".lan"))
