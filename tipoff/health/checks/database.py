"""The check `database`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tipoff.health.report import Checked, Finding
from tipoff.health.rules import beyond, error, warning
from tipoff.health.settings import HealthSettings
from tipoff.storage.health import DatabaseFacts


def away(why: str) -> Checked:
    """It does not answer."""
    return Checked("", (error("database_away", f"the database does not answer: {why}"),), looked=True)


def database(
    facts: DatabaseFacts, processes: Sequence[Mapping[str, Any]], seconds: float, skew: float, expected: str,
    limits: HealthSettings,
) -> Checked:  # fmt: skip
    """`seconds` of a round trip, `skew` of this machine's clock; requests wait in `processes`."""
    mb = facts.bytes / 2**20
    waiting = {str(p["name"]): int(p.get("pool_waiting") or 0) for p in processes}
    used = 100 * facts.connections / max(1, facts.most_connections)
    found: list[Finding] = [
        *beyond("database_slow", seconds, limits.pair("round_trip"), f"a round trip takes {seconds * 1000:.0f} ms"),
        *beyond(
            "connections_used_up", used, limits.pair("connections_percent"),
            f"{facts.connections} of {facts.most_connections} connections of the server are in use",
        ),
        *beyond("database_large", mb, limits.pair("database_mb"), f"the database has {mb:,.0f} MB"),
        *beyond(
            "clock_skewed", abs(skew), limits.pair("clock_skew"),
            f"this machine's clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the database's",
        ),
    ]  # fmt: skip
    for name, number in sorted(waiting.items()):
        said = f"{number} requests wait for a connection of {name}"
        found += beyond("pool_exhausted", number, limits.pair("pool_waiting"), said, name)
    if facts.read_only:
        found.append(error("database_unwritable", "the database is read-only"))
    if facts.slow:
        found.append(warning(
            "slow_queries", f"{facts.slow} statements have run for over {limits.slow_query:g} s, "
            f"the longest for {facts.longest:.0f} s",
        ))  # fmt: skip
    if facts.schema_version != expected:
        behind = facts.schema_version < expected
        found.append((error if behind else warning)(
            "schema_differs", f"the schema is {facts.schema_version or 'empty'}, this code expects {expected}",
        ))  # fmt: skip
    return Checked(
        f"answers in {seconds * 1000:.0f} ms", tuple(found),
        {
            "database_ms": round(seconds * 1000, 2), "database_mb": round(mb, 1),
            "database_connections": facts.connections, "database_connections_most": facts.most_connections,
            "pool_waiting": max(waiting.values(), default=0), "slow_queries": facts.slow,
            "schema_version": facts.schema_version,
            "clock_skew_seconds": round(skew, 3),
        },
    )  # fmt: skip
