"""Places of a session pooler: Supabase's small plans have 15, for all processes together."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
from pathlib import Path

from tests.jobs import ended, enqueue, workers
from tests.pooler import pooled
from tests.simulated import BEGIN
from tests.web import WebProcess, free_port
from tipoff.clock import FixedClock
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.storage.pool import Pool


def test_a_deploy_fits_into_a_session_pooler(dsn: str, pool: Pool, tmp_path: Path) -> None:
    """Forecasts that get no connection for as long as a deploy runs the old web and worker beside the new ones."""
    now = BEGIN + dt.timedelta(days=5, hours=18)
    with contextlib.ExitStack() as parts:
        address = parts.enter_context(pooled(dsn, free_port(), "session"))
        url = parts.enter_context(league_server(LeagueApp(League(), FixedClock(now))))
        settings = {"TIPOFF_LEAGUE_URL": url, "TIPOFF_SPACING": "0", "TIPOFF_HEALTH_EVERY": "2"}
        webs = []
        for _ in range(2):
            webs.append(WebProcess(address, tmp_path, **settings))
            parts.callback(webs[-1].stop)
            parts.enter_context(workers(address, tmp_path, 1, "--no-schedules", "--at", now.isoformat(), **settings))
        with concurrent.futures.ThreadPoolExecutor() as threads:  # until each web has all of its connections
            answers = threads.map(lambda n: webs[n % 2].get(f"/api/matches?limit={1 + n}").status_code, range(24))
            assert set(answers) == {200}
        made = [enqueue(pool, name) for name in ("quick_data_refresh", "track_record", "outbox_delivery")]
        found = [ended(pool, one) for one in made]
    assert [(one.status, one.attempt) for one in found] == [("completed", 1)] * 3
