"""Every question that the API and a worker ask, explained on a large database: none scans a table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.sync.client import connect

from tests.chaos.evidence import keep, size
from tests.large import fill
from tests.web import MASTER
from tipoff.cli.web import serving
from tipoff.forecast.model import Model
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import state_after
from tipoff.settings import Settings
from tipoff.storage import models, transitions
from tipoff.storage.models import StoredState

JOB = "00000000-0000-0000-0000-000000000007"
SMALL = 5_000
"""rows up to which reading a whole table is what an index would cost too"""
PATHS = {
    "/api/matches": ["", "?limit=200", "?player=PLAYER 7", "?team=TEAM 3", "?player=PLAYER 7&team=TEAM 7",
                     "?from={early}&to={late}", "?status=void", "?status=final&player=PLAYER 9", "?status=scheduled",
                     "?status=withdrawn", "?status=played&team=TEAM 3"],
    "/api/upcoming-matches": ["", "?player=PLAYER 9", "?team=TEAM 4", "?search=layer 39", "?stream=s",
                              "?confidence=0.6", "?team=TEAM 4&search=PLAYER&stream=s"],
    "/api/live-scores": [""],
    "/api/matches/{external_id}": ["M77", "U5"],
    "/api/players": ["", "?search=player 19"],
    "/api/teams": [""], "/api/teams/{team}": ["TEAM 3"],
    "/api/player-stats": ["", "?player=PLAYER 8"],
    "/api/players/{handle}": ["PLAYER 77"],
    "/api/h2h/{a}/{b}": ["PLAYER 1/PLAYER 8"],
    "/api/ml/predictions": ["", "?player=PLAYER 9&line=100"],
    "/api/ml/predictions/{external_id}": ["U5"],
    "/api/ml/predictions/summary": [""],
    "/api/ml/models": [""], "/api/ml/model-performance": [""],
    "/api/ledger": ["", "?kind=grade"], "/api/record": ["?by=week"],
    "/api/record/forecasts": ["", "?horizon=30", "?horizon=30&player=PLAYER 7", "?horizon=30&status=open",
                              "?horizon=30&status=late", "?horizon=30&outcome=miss", "?horizon=30&outcome=hit"],
    "/api/jobs": ["", "?status=completed", "?job_type=cleanup", "?status=pending&job_type=model_review"],
    "/api/jobs/{job_id}": [JOB], "/api/jobs/{job_id}/log": [f"{JOB}/log"],
    "/api/system/job-stats": [""], "/api/keys": [""], "/api/system/health": ["?fresh=true"],
    "/api/system/health/history": ["?hours=12"], "/api/alerts": ["", "?state=resolved", "?state=all"],
    "/api/webhooks": [""], "/api/webhooks/deliveries": [""],
}  # fmt: skip


@pytest.fixture
def filled(dsn: str) -> str:
    """The database with a million matches and a hundred thousand jobs (fewer in CI), and a model that forecasts."""
    files = Model(BUILT_IN, "2026-03-01T00:00:00+00:00", {}, {}, {}, state_after(BUILT_IN, [])).files()
    with psycopg.connect(dsn) as connection:
        fill(connection, size(60_000, 1_000_000), size(20_000, 100_000))
        [(now,)] = connection.execute("select now()").fetchall()
        models.register(connection, files.sha256, files.document, now)
        models.rule(connection, files.sha256, True, "a test", {})
        models.activate(connection, files.sha256, now)
        models.save_state(connection, files.sha256, None, StoredState(0, 0, "0" * 64, files.blob), 0, now)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return dsn


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Everything that connections of this process are asked."""
    questions: list[tuple[str, Any]] = []
    execute = psycopg.Connection.execute

    def noting(self: Any, query: Any, params: Any = None, **more: Any) -> Any:
        questions.append((query.decode() if isinstance(query, bytes) else str(query), params))
        return execute(self, query, params, **more)

    monkeypatch.setattr(psycopg.Connection, "execute", noting)
    return questions


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """Tables of more than SMALL rows that a plan reads whole."""
    if plan["Node Type"] == "Seq Scan" and plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) > SMALL:
        yield plan["Relation Name"]
    for part in plan.get("Plans", []):
        yield from scans(part)


def explained(connection: psycopg.Connection[Any], query: str, params: Any) -> tuple[float, list[str], str]:
    """Milliseconds, tables that were read whole, and the plan."""
    with connection.transaction(force_rollback=True):
        [(plan,)] = connection.execute(f"explain (analyze, format json) {query}".encode(), params).fetchall()
    return plan[0]["Execution Time"], list(scans(plan[0]["Plan"])), json.dumps(plan[0]["Plan"])[:2000]


def test_no_question_scans_a_table(
    filled: str, asked: list[tuple[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is quick for a month and then takes a minute."""
    monkeypatch.setenv("DATABASE_URL", filled.replace("user=postgres", "user=tipoff_app"))
    monkeypatch.setenv("TIPOFF_OWNER_DATABASE_URL", filled)
    monkeypatch.setenv("TIPOFF_HOME", str(tmp_path))
    monkeypatch.setenv("OPERATOR_API_KEY", MASTER)
    by_endpoint: dict[str, list[tuple[str, Any]]] = {}
    with serving(Settings(), 0) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        client.headers["X-API-Key"] = MASTER
        end = time.monotonic() + 30
        while client.get("/api/health").json()["database"] != "ok":
            assert time.monotonic() < end
            time.sleep(0.05)
        now = client.get("/api/system/status").json()["as_of"]
        by_endpoint["/api/system/status"] = asked[:]
        for endpoint, questions in PATHS.items():
            before = len(asked)
            if endpoint == "/api/system/health":
                time.sleep(1.1)  # a look that was made just now is not made again
            for question in questions:
                path = endpoint.partition("/{")[0] + (f"/{question}" if "{" in endpoint else question)
                path = path.format(early="2020-01-01T00:00:00Z", late=now)
                answer = client.get(path)
                assert answer.status_code == 200, (path, answer.text)
                if (following := answer.json().get("next_cursor")) and "items" in answer.json():
                    sign = "&" if "?" in path else "?"
                    assert client.get(f"{path}{sign}cursor={following}").status_code == 200
            by_endpoint[endpoint] = asked[before:]
        before = len(asked)
        with connect(url.replace("http", "ws") + "/api/ws", proxy=None, max_size=2**24) as stream:
            assert {json.loads(stream.recv(30))["topic"] for _ in range(3)} == {"jobs", "matches", "predictions"}
        by_endpoint["/api/ws"] = asked[before:]
        before = len(asked)
        assert "\ntipoff_figures_current 1.0\n" in client.get("/metrics").text
        by_endpoint["/metrics"] = asked[before:]
    claim = {"types": ["cleanup", "model_review"], "limit": 2, "worker": "w", "lease": 8.0}
    by_endpoint["a worker's claim"] = [(transitions.CLAIM, claim)]
    by_endpoint["a worker's look"] = [
        (transitions.LOOK, {"types": claim["types"], "known": claim["types"], "running": []})
    ]
    slowest: dict[str, float] = {}
    with psycopg.connect(filled) as connection:
        for endpoint, found in by_endpoint.items():
            for query, params in found:
                if not query.lstrip().lower().startswith(("select", "with", "update", "(")) or "notify" in query:
                    continue
                took, tables, plan = explained(connection, query, params)
                assert not tables, f"{endpoint} reads {tables} whole: {query} {params}\n{plan}"
                slowest[endpoint] = max(slowest.get(endpoint, 0.0), round(took, 2))
    assert {*PATHS, "/api/ws", "/metrics"} <= set(slowest)
    keep("plans", {"matches": size(60_000, 1_000_000), "jobs": size(20_000, 100_000), "slowest_ms": slowest})
