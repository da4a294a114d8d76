"""Fixtures in a real database and bodies to seal for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from tipoff.domain.match import Fixture
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.ledger.seal import Knowledge, seal_body
from tipoff.storage import fixtures, matches
from tipoff.storage.pool import Connection

MODEL = Knowledge("a" * 64, "test", 0, "0" * 64, 0)
MINUTE = dt.timedelta(minutes=1)


def waiting(connection: Connection, starts: Sequence[dt.datetime], prefix: str = "F") -> list[Fixture]:
    """Fixtures that begin at these times, known to the database."""
    made = [
        Fixture(f"{prefix}{i}", start, f"PLAYER {i % 7}", f"RIVAL {i % 5}", "Harbor Herons", "Granite Rams", None)
        for i, start in enumerate(starts)
    ]
    matches.name_players(connection, made)
    fixtures.see(connection, [(starts[0] - 600 * MINUTE, made)])
    return made


def body(fixture: Fixture, horizon: int = 30, margin: float = 1.5) -> str:
    """A canonical body for it."""
    return seal_body(fixture, horizon, ScoreDistribution(margin, 9.5, 108.0, 11.0), MODEL, {})
