"""What starts, and may not be meant: lines of `tipoff doctor`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tipoff.refusals.addresses import is_near, on_a_private_network, place_of
from tipoff.refusals.given import Fault, Given, host_of


def reached(given: Given) -> Iterator[Fault]:
    """How the database is reached."""
    place = place_of(given.secret("database_url") or "")
    if place is None:
        return
    if given.settings.render and re.fullmatch(r"db\..+\.supabase\.co", place.host):
        yield Fault(
            "DATABASE_URL", "is the direct address, which needs IPv6, and Render has none",
            "take the session pooler's, unless the project has the IPv4 add-on",
        )  # fmt: skip
    if place.port == "6543":
        yield Fault(
            "DATABASE_URL", "is a transaction pooler's: news is polled for instead of told",
            "take the session pooler's (port 5432)",
        )  # fmt: skip
    if given.public and not place.sslmode and not on_a_private_network(place.host):
        yield Fault(
            "DATABASE_URL", "does not insist on encryption", "add ?sslmode=require, or verify-full with a certificate"
        )


def opened(given: Given) -> Iterator[Fault]:
    """What is open to everybody, or not what it seems."""
    settings = given.settings
    if given.public and "*" in settings.cors_origins:
        yield Fault("CORS_ORIGINS", "lets every page read the API", "name your pages' origins where that matters")
    if given.public and settings.open_metrics:
        yield Fault("TIPOFF_OPEN_METRICS", "shows /metrics to everybody", "take it away and give Prometheus a key")
    if given.public and settings.source == "league":
        yield Fault("TIPOFF_SOURCE", "is the simulated league", "take it away for the real one")
    if "*" in given.environment.get("FORWARDED_ALLOW_IPS", "") and given.public:
        yield Fault("FORWARDED_ALLOW_IPS", "is *", "name the proxy's addresses")
    for name, url in (("TIPOFF_LEAGUE_URL", settings.league_url), ("TIPOFF_HISTORY_URL", settings.history_url)):
        if url and url.startswith("http:") and not is_near(host_of(url)):
            yield Fault(name, "is not encrypted", "give an https address")
