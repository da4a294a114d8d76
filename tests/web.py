"""A real API process for tests, started as the deployment contract says."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.jobs import ROOT
from tipoff.api.access import Scope, new_key
from tipoff.storage import keys
from tipoff.storage.pool import Pool

MASTER = "master-key-of-the-tests"
GENEROUS = {
    "TIPOFF_READS_A_MINUTE": "10000000", "TIPOFF_WRITES_A_MINUTE": "10000000", "TIPOFF_FAILURES_A_MINUTE": "10000000",
    "TIPOFF_STREAMS": "10000",
}  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class WebProcess:
    """`uvicorn backend.app.api:app` of its own, with its output in a file; waits until it sees its database."""

    def __init__(
        self, dsn: str | None, folder: Path, *, wait: bool = True, port: int | None = None, **settings: str
    ) -> None:
        self.log = folder / f"web-{free_port()}.log"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        hidden = {"DATABASE_URL", "RENDER", "SUPABASE_URL", "OPERATOR_API_KEY"}
        environment = {k: v for k, v in os.environ.items() if k not in hidden}
        environment |= {"TIPOFF_HOME": str(folder), "PYTHONPATH": str(ROOT), **GENEROUS, "OPERATOR_API_KEY": MASTER}
        if dsn is not None:
            environment |= {
                "DATABASE_URL": dsn, "TIPOFF_OWNER_DATABASE_URL": dsn.replace("user=tipoff_app", "user=postgres")
            }  # fmt: skip
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "backend.app.api:app", "--host", "127.0.0.1", "--port",
                 str(self.port)],
                env={k: v for k, v in (environment | settings).items() if v}, cwd=folder, stdout=out,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.http = httpx.Client(base_url=self.url, timeout=20.0, trust_env=False)
        self._until("ok" if wait else "")

    def _until(self, database: str) -> None:
        end = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            try:
                if database in self.http.get("/api/health").json()["database"]:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)

    def until_database(self, state: str) -> None:
        """Wait until /api/health says so."""
        self._until(state)

    def until_logged(self, text: str) -> None:
        """Wait until the log has it: a request's line is written after its answer."""
        end = time.monotonic() + 10
        while text not in self.log.read_text():
            assert time.monotonic() < end, f"{text} is not in {self.log.read_text()}"
            time.sleep(0.02)

    def client(self, key: str | None = None) -> httpx.Client:
        """A client that sends a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0, trust_env=False)

    def get(self, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, key, **more)

    def post(self, path: str, key: str | None = MASTER, **more: Any) -> httpx.Response:
        """POST, with the operator's key unless told otherwise."""
        return self.request("POST", path, key, **more)

    def request(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        """Any request."""
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def make_key(pool: Pool, scope: Scope, days: float | None = None) -> tuple[str, str]:
    """A key of that scope and its id."""
    key, sha256, hint = new_key()
    with pool.connection() as connection:
        [(expires,)] = connection.execute(
            "select clock_timestamp() + make_interval(secs => 86400 * %s)", (days,)
        ).fetchall()
        stored = keys.add(connection, f"test {scope}", scope.value, sha256, hint, expires)
    return key, str(stored.id)


def rows(pool: Pool, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with pool.connection() as connection:
        return connection.execute(query.encode(), values or None).fetchall()


__all__ = ["MASTER", "WebProcess", "free_port", "make_key", "rows"]
