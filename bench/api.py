"""The API with production settings beside bare Starlette and psycopg: same queries, JSON, Postgres, client and run.

Each is one uvicorn process. They take turns of a second or so; what counts is the median of the rounds' ratios.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bench.load import load
from bench.postgres import fresh_postgres
from tests.jobs import ROOT
from tests.large import fill
from tests.web import WebProcess, free_port, make_key
from tipoff.api.access import Scope
from tipoff.storage.pool import open_pool

MATCHES, JOBS = 100_000, 20_000
CONNECTIONS, ROUNDS, SECONDS = 50, 5, 1.2
ASKED = 10_000
"""addresses of a measurement, none of them twice"""
SETTLE = 2.0
"""seconds after which a process that sees its database counts as idle"""
Paths = dict[str, list[str]]


def api() -> dict[str, Any]:
    """Answers a second, latencies and memory."""
    with (
        fresh_postgres() as postgres, tempfile.TemporaryDirectory(prefix="tipoff-bench-") as folder,
        _peer(postgres.application_dsn) as peer, contextlib.closing(open_pool(postgres.application_dsn)) as pool,
    ):  # fmt: skip
        paths = _fill(postgres.dsn)
        key, _ = make_key(pool, Scope.READ)
        web = WebProcess(postgres.application_dsn, Path(folder), RENDER="true")
        try:
            time.sleep(SETTLE)
            idle = _memory(web.process.pid)
            for kind in paths.values():
                _same(web.url, peer, key, kind[-1])
            rounds, loaded = _rounds(web, peer, key, paths)
        finally:
            assert web.stop() == 0
    return {
        "connections": CONNECTIONS, "rounds": ROUNDS, "seconds": SECONDS, "matches": MATCHES, "jobs": JOBS,
        **{kind: _middle(measured) for kind, measured in rounds.items()}, "idle": idle, "loaded": loaded,
    }  # fmt: skip


def _fill(dsn: str) -> Paths:
    """A database of some size; for each kind of question the addresses to ask."""
    with psycopg.connect(dsn) as connection:
        fill(connection, MATCHES, JOBS)
        graded = connection.execute(
            "select external_id from match_predictions p where exists (select from matches m "
            "where m.external_id = p.external_id) and exists (select from ledger l where l.grades = p.ledger_seq)"
        ).fetchall()
        jobs = connection.execute("select id from job_queue where finished_at is not null").fetchall()
        starts = connection.execute(
            "select start_at from matches order by start_at desc limit %s", (ASKED,)
        ).fetchall()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    found = {
        "match": [f"/api/matches/{external_id}" for (external_id,) in graded],
        "job": [f"/api/jobs/{job_id}" for (job_id,) in jobs],
        "cached_list": ["/api/matches?limit=50"],
        "list": [f"/api/matches?limit=50&to={start:%Y-%m-%dT%H:%M:%S.%fZ}" for (start,) in starts],
    }
    for kind in found.values():
        random.Random(0).shuffle(kind)  # noqa: S311
    return found


@contextlib.contextmanager
def _peer(dsn: str) -> Iterator[str]:
    """The peer's address."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "bench.api_peer:app", "--port", str(port), "--no-access-log",
         "--log-level", "error"],
        env={**os.environ, "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
    ) as process:  # fmt: skip
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _same(ours: str, theirs: str, key: str, path: str) -> None:
    """Both give the same JSON."""
    one, other = (
        httpx.get(url + path, headers={"Authorization": f"Bearer {key}"}, trust_env=False) for url in (ours, theirs)
    )
    assert one.status_code == other.status_code == 200, (path, one.text, other.text)
    assert "etag" in one.headers
    assert "ratelimit-remaining" in one.headers
    assert one.json() == other.json(), (path, one.text, other.text)


def _rounds(
    web: WebProcess, peer: str, key: str, paths: Paths
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, float]]:
    """What both did with each kind in each round; the most memory that ours held."""
    ports = {"tipoff": web.port, "peer": int(peer.rpartition(":")[2])}
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in paths}
    most: list[dict[str, float]] = []
    begin = dict.fromkeys(paths, 0)
    for number, kind in itertools.product(range(ROUNDS), paths):
        names = list(ports) if number % 2 else list(reversed(ports))
        asked = list(itertools.islice(itertools.cycle(paths[kind]), begin[kind], begin[kind] + ASKED))
        measured = {name: load(ports[name], key, asked, CONNECTIONS, SECONDS) for name in names}
        begin[kind] = (begin[kind] + max(m["answers"] for m in measured.values())) % len(paths[kind])
        found[kind].append(measured)
        most.append(_memory(web.process.pid))
    return found, {name: max(memory[name] for memory in most) for name in most[0]}


def _middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure, and of ours by theirs."""
    made: dict[str, Any] = {
        name: {figure: statistics.median(r[name][figure] for r in rounds) for figure in rounds[0][name]}
        for name in ("tipoff", "peer")
    }
    ratios = [r["tipoff"]["a_second"] / r["peer"]["a_second"] for r in rounds]
    return {**made, "ratio": statistics.median(ratios), "ratio_low": min(ratios), "ratio_high": max(ratios)}


def _memory(pid: int) -> dict[str, float]:
    """MB of a process: resident now, its own share of that (PSS), and the most it ever held."""
    sizes = {
        line.partition(":")[0]: int(line.split()[1]) / 1024
        for name in ("status", "smaps_rollup") for line in Path(f"/proc/{pid}/{name}").read_text().splitlines()
        if line.startswith(("VmRSS:", "VmHWM:", "Pss:"))
    }  # fmt: skip
    return {"rss_mb": sizes["VmRSS"], "pss_mb": sizes["Pss"], "peak_mb": sizes["VmHWM"]}


if __name__ == "__main__":
    print(json.dumps(api(), indent=1))
