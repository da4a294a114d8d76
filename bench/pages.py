"""Server time of each page with 18,000 matches in the database, beside the cheapest answer of the same process.

The system is `tipoff demo` with 75 simulated days, so that forecasts, record and jobs are there too; its own workers
go on meanwhile. `first` is the median of first looks (what the API keeps of them forgotten), `again` of looks within
the second after; `floor` is /api/health. One client, one request at a time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.browser.system import System, start, stop
from tipoff.web.site import PAGES

DAYS, LOOKS = 75, 7
FORGETS = 5.2
"""seconds after which the API asks anew"""


def pages() -> dict[str, Any]:
    """Milliseconds and bytes by path."""
    with tempfile.TemporaryDirectory(prefix="tipoff-bench-") as name:
        home = Path(name)
        home.chmod(0o755)
        system = start(home, days=DAYS)
        try:
            with psycopg.connect(system.dsn) as connection:
                [(matches,)] = connection.execute("select count(*) from matches").fetchall()
            return {"matches": matches, "looks": LOOKS, "floor": _floor(system), "pages": _pages(system)}
        finally:
            stop(system)


def _pages(system: System) -> dict[str, dict[str, float]]:
    examples = system.addresses()
    paths = [page.path for page in PAGES if page.method == "GET"]
    first: dict[str, list[float]] = {path: [] for path in paths}
    again: dict[str, list[float]] = {path: [] for path in paths}
    sizes: dict[str, int] = {}
    with _client(system) as client:
        for _ in range(LOOKS):
            time.sleep(FORGETS)
            for path in paths:
                address = examples.get(path, path)
                for kept in (first, again):
                    seconds, sizes[path] = _look(client, address)
                    kept[path].append(seconds)
    return {
        path: {
            "first_ms": _ms(first[path]), "again_ms": _ms(again[path]), "gzipped_bytes": sizes[path],
        }
        for path in paths
    }  # fmt: skip


def _floor(system: System) -> float:
    with _client(system) as client:
        return _ms([_look(client, "/api/health")[0] for _ in range(50)])


def _client(system: System) -> httpx.Client:
    return httpx.Client(
        base_url=system.url,
        headers={"X-API-Key": system.key, "Accept-Encoding": "gzip"},
        trust_env=False,
        timeout=30.0,
    )


def _look(client: httpx.Client, address: str) -> tuple[float, int]:
    begun = time.perf_counter()
    answer = client.get(address)
    seconds = time.perf_counter() - begun
    assert answer.status_code in (200, 404, 409), (address, answer.status_code)
    return seconds, answer.num_bytes_downloaded


def _ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 2)
