"""Players' careers and records of teams, with the live filter's strengths where a model forecasts."""

from __future__ import annotations

import datetime as dt

from tipoff.pipeline.state import bring_up_to_date
from tipoff.storage import models, stats
from tipoff.storage.pool import Pool


def refresh_statistics(pool: Pool, now: dt.datetime, older: bool = False) -> int:
    """Recompute every career and the record of every team; returns how many players have one."""
    with pool.connection() as connection:
        forecasting = models.active(connection) is not None
    state = bring_up_to_date(pool, now, older).state if forecasting else None
    with pool.connection() as connection:
        stats.refresh_teams(connection, now, state.strengths("teams") if state else [])
        return stats.refresh(connection, now, state.strengths() if state else [])
