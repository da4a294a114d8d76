"""Players' careers, with the live filter's strengths where a model forecasts."""

from __future__ import annotations

import datetime as dt

from tipoff.pipeline.state import bring_up_to_date
from tipoff.storage import models, stats
from tipoff.storage.pool import Pool


def refresh_statistics(pool: Pool, now: dt.datetime) -> int:
    """Recompute every career; returns how many players have one."""
    with pool.connection() as connection:
        if models.active(connection) is None:
            return stats.refresh(connection, now, [])
    strengths = bring_up_to_date(pool, now).state.strengths()
    with pool.connection() as connection:
        return stats.refresh(connection, now, strengths)
