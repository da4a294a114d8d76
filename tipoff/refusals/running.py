"""What could not work: where models and matches come from and go to, ports, processes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tipoff.errors import InputError
from tipoff.forecast.additions import named
from tipoff.refusals.given import Fault, Given, Role, placeholders, split
from tipoff.settings import Settings, names_of

RESERVED_PORTS = (18012, 18013, 19099)
"""ports that Render keeps for itself"""
COMMANDS = {"TIPOFF_H2H_2025_TOKEN_COMMAND"}
"""whose quotation marks are their own"""
BUCKET = re.compile(r"[A-Za-z0-9._-]{1,100}")
SOURCES = ("h2h-2026", "h2h-2025", "league")


def missing(given: Given) -> Iterator[Fault]:
    """What the web process starts without, and says so; a worker would only fail at its jobs."""
    if given.role is not Role.WORKER:
        return
    for name in set(placeholders(given.settings)) - {"SUPABASE_ANON_KEY"}:
        yield Fault(name, "still has the value of the example", "give the project's own (Supabase: Project Settings)")
    if given.settings.production and given.settings.database_url is None:
        yield Fault(
            "DATABASE_URL", "is not set", "a worker needs it; Supabase: Connect, Session pooler, with the password"
        )


def quoted(given: Given) -> Iterator[Fault]:
    """Values pasted with the quotation marks that a shell would have taken away."""
    names = {name for field in Settings.model_fields.values() for name in names_of(field)} - COMMANDS
    for name in sorted(names):
        value = given.environment.get(name, "").strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            yield Fault(name, "has quotation marks around it", "take them away: nothing does it here")


def ports(given: Given) -> Iterator[Fault]:
    """Ports that there are not, or that Render does not give."""
    port = given.settings.port
    name = "PORT" if given.environment.get("PORT") else "API_PORT"
    if not 1 <= port <= 65535:
        yield Fault(name, f"is {port}", "a port is a number from 1 to 65535")
    elif given.settings.render and port in RESERVED_PORTS:
        yield Fault(name, f"is {port}, which Render keeps for itself", "take it away: Render sets PORT")


def models(given: Given) -> Iterator[Fault]:
    """Where models are kept."""
    settings = given.settings
    if not BUCKET.fullmatch(settings.bucket):
        yield Fault("TIPOFF_BUCKET", "is no name of a bucket", "letters, digits, dots, - and _, at most 100")
    if not given.works:
        return
    where = "models would lie on a disk that vanishes"
    if settings.supabase_url and settings.supabase_key is None:
        yield Fault("SUPABASE_SERVICE_ROLE_KEY", f"is not set, and {where}", "give the project's secret key")
    if settings.render and not settings.supabase_url and "TIPOFF_HOME" not in given.environment:
        yield Fault(
            "SUPABASE_URL", f"is not set, and {where}", "give the project's address, or a disk's path as TIPOFF_HOME"
        )


def source(given: Given) -> Iterator[Fault]:
    """Where matches come from."""
    settings = given.settings
    kind, _, path = settings.source.partition(":")
    if settings.source not in SOURCES and not (kind == "recorded" and path):
        yield Fault("TIPOFF_SOURCE", "is none", "one of h2h-2026, h2h-2025, league, recorded:PATH")
    elif kind == "recorded" and given.public:
        yield Fault(
            "TIPOFF_SOURCE", "replays recorded days, whose clock stands still: nothing of it can be sealed in time",
            "take it away, or give league for a simulated one",
        )  # fmt: skip
    for name, url in (("TIPOFF_LEAGUE_URL", settings.league_url), ("TIPOFF_HISTORY_URL", settings.history_url)):
        if url and _scheme(url) not in ("http", "https"):
            yield Fault(name, "is no http(s) address", "give one, like https://mirror.example.org/v1")


def additions(given: Given) -> Iterator[Fault]:
    """What models are made of."""
    try:
        named(given.settings.additions)
    except InputError as error:
        yield Fault("TIPOFF_ADDITIONS", "cannot be read", str(error))


def one_service(given: Given) -> Iterator[Fault]:
    """How many web processes there are where each would have its worker."""
    many = given.environment.get("WEB_CONCURRENCY", "1").strip()
    if given.role is Role.WEB and given.settings.one_service and many not in ("", "1"):
        yield Fault(
            "TIPOFF_ONE_SERVICE", "runs one worker beside one web process, and WEB_CONCURRENCY asks for more",
            "set WEB_CONCURRENCY=1, or run workers as a service of their own",
        )  # fmt: skip


def _scheme(url: str) -> str:
    parts = split(url)
    return parts.scheme if parts else ""
