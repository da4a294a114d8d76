"""The database goes away and comes back while the API serves; the API is asked to stop."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.jobs import eventually
from tests.web import WebProcess
from tipoff.storage.embedded import PrivatePostgres


@pytest.fixture
def private(tmp_path: Path) -> Iterator[PrivatePostgres]:
    """A Postgres that may be stopped."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    home = tmp_path / "db"
    home.mkdir()
    postgres = PrivatePostgres(home)
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.reset()


def test_without_its_database_it_says_so_serves_what_it_has_and_comes_back(
    private: PrivatePostgres, tmp_path: Path
) -> None:
    """A health check that hangs; a page of errors where yesterday's answer would do; a restart that is needed."""
    web = WebProcess(private.application_dsn, tmp_path)
    try:
        before = web.get("/api/jobs?limit=5")
        assert "x-stale" not in before.headers
        private.stop()
        begun = time.monotonic()
        stale = web.get("/api/jobs?limit=5")
        eventually(lambda: web.get("/api/health").json()["database"] == "away", "noticed", 5.0)
        for _ in range(5):
            begun = time.monotonic()
            health = web.get("/api/health")
            assert time.monotonic() - begun < 1.0
            assert (health.status_code, health.json()["status"]) == (200, "degraded")
        stale = web.get("/api/jobs?limit=5")
        assert (stale.status_code, stale.content) == (200, before.content)
        assert stale.headers["x-stale"] == "true"
        assert "stale" in stale.headers["warning"]
        for answer in (web.get("/api/jobs?limit=6"), web.post("/api/run-pipeline"), web.get("/api/system/status")):
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
        private.start()
        begun = time.monotonic()
        eventually(lambda: web.post("/api/run-pipeline").status_code in (202, 409), "back", 20.0)
        eventually(lambda: web.get("/api/jobs?limit=5").json()["total"] == 1, "fresh", 20.0)
        assert "x-stale" not in web.get("/api/jobs?limit=5").headers
        assert time.monotonic() - begun < 5.0
    finally:
        assert web.stop() == 0, web.log.read_text()


def test_a_frozen_database_holds_nobody_up(private: PrivatePostgres, tmp_path: Path) -> None:
    """A server that takes every question and answers none: requests that hang, and a stop that never ends."""
    with psycopg.connect(private.dsn) as connection:
        main = psutil.Process(connection.info.backend_pid).parent()
    assert main is not None
    web = WebProcess(private.application_dsn, tmp_path)
    frozen: list[psutil.Process] = []

    def freeze() -> None:
        frozen[:] = [main, *main.children(recursive=True)]
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw() -> None:
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    try:
        kept = web.get("/api/jobs?limit=5")
        freeze()
        with concurrent.futures.ThreadPoolExecutor(12) as threads:
            paths = ["/api/jobs?limit=5"] * 4 + [f"/api/jobs?limit={n}" for n in range(10, 18)]
            begun = time.monotonic()
            answers = [one.result() for one in [threads.submit(web.get, path) for path in paths]]
            assert time.monotonic() - begun < 8.0
        assert [a.content for a in answers[:4]] == [kept.content] * 4
        assert {a.status_code for a in answers[4:]} == {503}
        thaw()
        eventually(lambda: web.get("/api/jobs?limit=9").status_code == 200, "back", 5.0)
        freeze()
        with socket.create_connection(("127.0.0.1", web.port)) as waiting:
            waiting.sendall(b"GET /api/jobs?limit=77 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert [web.get("/api/health").status_code for _ in range(3)] == [200] * 3
            begun = time.monotonic()
            assert web.stop() == 0
            assert time.monotonic() - begun < 8.0
            assert b" 503 " in waiting.recv(100)
    finally:
        thaw()
        web.http.close()
        web.process.kill()
        web.process.wait()


def test_every_answer_may_be_read_by_the_origins_that_are_named(private: PrivatePostgres, tmp_path: Path) -> None:
    """A dashboard that works until an answer comes from what is kept, and that cannot read errors."""
    web = WebProcess(private.application_dsn, tmp_path, CORS_ORIGINS="https://d.example, https://e.example")
    try:
        for path, key in (("/api/jobs", None), ("/api/jobs", None), ("/api/jobs", "wrong"), ("/api/nothing", None)):
            answer = web.get(path, key, headers={"Origin": "https://d.example", "Accept-Encoding": "gzip"})
            assert answer.headers["access-control-allow-origin"] == "https://d.example", path
            strange = web.get(path, key, headers={"Origin": "https://evil.example"})
            assert "access-control-allow-origin" not in strange.headers
        first, second = (web.get("/api/system/status", headers={"Accept-Encoding": "gzip"}) for _ in range(2))
        assert "age" in second.headers
        assert first.headers["content-encoding"] == second.headers["content-encoding"] == "gzip"
        assert first.content == second.content
    finally:
        assert web.stop() == 0


def test_without_database_url_a_deployment_is_alive_and_says_what_to_set(tmp_path: Path) -> None:
    """A deploy that is cancelled without a reason; or a ledger on a disk that vanishes."""
    web = WebProcess(None, tmp_path, wait=False, RENDER="true")
    try:
        assert web.get("/api/health").status_code == 200
        answer = eventually(
            lambda: a if "DATABASE_URL" in (a := web.get("/api/jobs")).json()["detail"] else None, "says why"
        )
        assert answer.status_code == 503
        assert not list(tmp_path.glob("postgres*"))
    finally:
        assert web.stop() == 0


def test_the_specifications_values_start_it(tmp_path: Path) -> None:
    """API_PORT=$PORT is not expanded where it is set; CORS_ORIGINS is JSON."""
    web = WebProcess(
        None, tmp_path, wait=False, RENDER="true", API_HOST="0.0.0.0", API_PORT="$PORT",  # noqa: S104
        CORS_ORIGINS='["*"]', SUPABASE_URL="your_supabase_url", SUPABASE_ANON_KEY="your_anon_key",
        SUPABASE_SERVICE_ROLE_KEY="your_service_key",
    )  # fmt: skip
    try:
        answer = web.get("/api/health", headers={"Origin": "https://example.org"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert "CORS_ORIGINS lets every page" in web.log.read_text()
        why = "DATABASE_URL is not set"
        said = eventually(lambda: a if why in (a := web.get("/api/health").json()["detail"]) else None, "says why")
        for name in ("SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"):
            assert name in said
        for path in ("/api/matches", "/api/jobs", "/api/ml/models", "/players", "/"):
            answer = web.get(path)
            assert (answer.status_code, why in answer.text) == (503, True), path
        assert not list(tmp_path.glob("postgres*"))
    finally:
        assert web.stop() == 0
