"""What a look costs: queries and processor time, counted on the real server."""

from __future__ import annotations

import re
import time
from pathlib import Path

import psycopg

from tests.chaos.evidence import keep
from tests.freezing import postmaster
from tests.health import champion, fetched, settings
from tipoff.health.settings import HealthSettings
from tipoff.pipeline.monitoring import monitor_of
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool

TURNS = 40
Owner = psycopg.Connection[tuple[object, ...]]


def test_a_look_is_under_ten_queries_and_a_hundredth_of_a_core(
    pool: Pool, owner: Owner, server: PrivatePostgres, application_dsn: str, tmp_path: Path
) -> None:
    """A health check that is itself the load: the log of the server counts what it was asked."""
    champion(pool, tmp_path)
    fetched(pool)
    limits = HealthSettings(every=0.2, open_after=1e9)
    owner.execute("select set_config('log_statement', 'none', false)")
    [(name,)] = owner.execute("select current_database()").fetchall()
    owner.execute(f"alter database {name} set log_statement = 'all'".encode())
    monitor = monitor_of(settings(application_dsn, tmp_path), limits)
    try:
        monitor.turn()
        time.sleep(0.25)
        log = server.data.parent / "server.log"
        before = log.stat().st_size
        begun, spent = time.process_time(), _seconds(server)
        for _ in range(TURNS):
            monitor.turn()
            time.sleep(0.2)
        mine, theirs = time.process_time() - begun, _seconds(server) - spent
    finally:
        monitor.stop()
        owner.execute(f"alter database {name} reset log_statement".encode())
    with log.open() as lines:
        lines.seek(before)
        said = lines.read()
    [(reports,)] = owner.execute("select count(*) from system_health").fetchall()
    assert int(str(reports)) >= TURNS
    asked = re.findall(r"(?:statement|execute \S+): (?!BEGIN|COMMIT|begin|commit)", said)
    assert 5 < len(asked) / TURNS < 10
    share = (mine + theirs) / TURNS / HealthSettings().every
    keep("health", {
        "statements": round(len(asked) / TURNS, 1), "ms": round(1000 * (mine + theirs) / TURNS, 1),
        "core_percent": round(100 * share, 3),
    })  # fmt: skip
    assert share < 0.01


def _seconds(server: PrivatePostgres) -> float:
    """Of the whole server, connections that have ended included: nobody else asks it anything meanwhile."""
    first = postmaster(server)
    ended = first.cpu_times()
    times = [process.cpu_times() for process in [first, *first.children()]]
    return sum(t.user + t.system for t in times) + ended.children_user + ended.children_system
