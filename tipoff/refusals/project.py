"""The Supabase project, its keys, and the database."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tipoff.refusals.addresses import (
    SSL_MODES,
    Key,
    Place,
    is_near,
    on_a_private_network,
    place_of,
    project_of,
    read_key,
)
from tipoff.refusals.given import PLACEHOLDER, Fault, Given, split

HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
KEY = re.compile(r"[!-~]+")
OTHERS = (
    (
        re.compile(r"^postgres(ql)?\+\w+://"),
        "begin it with postgresql:// alone: Postgres knows nothing that follows a +",
    ),
    (
        re.compile(r"[?&](pgbouncer|pool_mode|connection_limit|pool_timeout|schema)="),
        "take pgbouncer=, pool_mode=, connection_limit=, pool_timeout= and schema= away: Postgres knows none of them",
    ),
    (
        re.compile(rf"[?&]sslmode=(?!({'|'.join(SSL_MODES[1:])})(&|$))"),
        f"sslmode is one of {', '.join(SSL_MODES[1:])}",
    ),
)
"""what other programs' addresses have, and the mend"""


def project(given: Given) -> Iterator[Fault]:
    """The project's address."""
    url = given.settings.supabase_url
    if not url or url.startswith(PLACEHOLDER):
        return
    parts, mend = split(url), "give https://<ref>.supabase.co (Supabase: Project Settings, Data API)"
    host = (parts.hostname if parts else None) or ""
    if parts is None or parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        yield Fault("SUPABASE_URL", "is no https address", mend)
    elif parts.scheme == "http" and not is_near(host):
        yield Fault("SUPABASE_URL", "is not encrypted, and the service key is sent to it", mend)
    elif parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        yield Fault("SUPABASE_URL", "has more than a host", mend)


def service_key(given: Given) -> Iterator[Fault]:
    """The key that stores models."""
    text = given.secret("supabase_key")
    if text is None:
        return
    key, ours = read_key(text), project_of(given.settings.supabase_url)
    mend = "give the secret key (sb_secret_...) or the service_role key (Supabase: Project Settings, API Keys)"
    if not KEY.fullmatch(text):
        yield Fault("SUPABASE_SERVICE_ROLE_KEY", "has a sign or a blank that no key has", mend)
    elif key.kind in (Key.PUBLIC, Key.USER):
        yield Fault("SUPABASE_SERVICE_ROLE_KEY", "is a key for the public: it may store nothing", mend)
    elif key.project and ours and key.project != ours:
        yield Fault("SUPABASE_SERVICE_ROLE_KEY", "belongs to another project than SUPABASE_URL", mend)
    several = {
        value for name in ("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY", "SUPABASE_KEY")
        if (value := given.environment.get(name, "").strip())
    }  # fmt: skip
    if len(several) > 1:
        yield Fault(
            "SUPABASE_SERVICE_ROLE_KEY", "differs from SUPABASE_SECRET_KEY or SUPABASE_KEY, other names of it",
            "set one of them",
        )  # fmt: skip


def anon_key(given: Given) -> Iterator[Fault]:
    """The key that everybody may have."""
    text = given.secret("anon_key")
    if text is not None and read_key(text).kind is Key.SECRET:
        yield Fault(
            "SUPABASE_ANON_KEY", "is a secret key, and this setting is for the public one",
            "give the publishable key (sb_publishable_... or anon), and replace the secret one where others saw it",
        )  # fmt: skip


def databases(given: Given) -> Iterator[Fault]:
    """The addresses of the database."""
    for name, field in (("DATABASE_URL", "database_url"), ("TIPOFF_OWNER_DATABASE_URL", "owner_database_url")):
        value = getattr(given.settings, field)
        if value is not None:
            yield from _database(name, value.get_secret_value(), given)


def _database(name: str, address: str, given: Given) -> Iterator[Fault]:
    if re.search(r"\[YOUR.PASSWORD\]|<password>|your_", address, re.IGNORECASE):
        yield Fault(name, "still has the placeholder of the password", "put the database's password there")
        return
    place = place_of(address)
    if place is None:
        usual = (
            "give postgresql://user:password@host:port/name (Supabase: Connect, Session pooler); signs like @ / : "
            "in a password are percent-encoded"
        )
        mend = next((mend for sign, mend in OTHERS if sign.search(address)), usual)
        yield Fault(name, "is no address of a Postgres", mend)
        return
    yield from _role_of(name, place)
    ours = project_of(given.settings.supabase_url)
    if place.project and ours and place.project != ours:
        yield Fault(name, "leads to another project than SUPABASE_URL", "take both from the same project")
    if given.public and place.sslmode in ("disable", "allow") and not on_a_private_network(place.host):
        yield Fault(
            name, f"asks for sslmode={place.sslmode}: the password crosses the internet in clear text",
            "give sslmode=require, or verify-full with the server's certificate",
        )  # fmt: skip


def _role_of(name: str, place: Place) -> Iterator[Fault]:
    if place.role in ("anon", "authenticated", "authenticator"):
        yield Fault(
            name, f"logs in as {place.role}, a role for the public", "log in as postgres, or as a role of your own"
        )
    if place.host.endswith(".pooler.supabase.com") and "." not in place.user:
        yield Fault(name, "names no project in the pooler's user", f"the user is {place.role or 'postgres'}.<ref>")
