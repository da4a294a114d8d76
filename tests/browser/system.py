"""A running system as `tipoff demo` makes it, and every page of it by address."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.jobs import ROOT
from tipoff.storage.embedded import PrivatePostgres
from tipoff.web.ask import path

DAYS = 12


@dataclasses.dataclass
class System:
    """Where it is, the operator's key, and what it knows."""

    url: str
    key: str
    home: Path
    process: subprocess.Popen[str]
    drain: threading.Thread

    def api(self, address: str, method: str = "GET", **more: Any) -> Any:
        """JSON of the API, in the operator's name."""
        answer = httpx.request(
            method, self.url + address, headers={"X-API-Key": self.key}, timeout=30.0, trust_env=False, **more
        )
        assert answer.status_code < 300, (address, answer.text)
        return answer.json()

    def addresses(self) -> dict[str, str]:
        """An example of each page, by the path of its route."""
        ahead = self.api("/api/upcoming-matches?limit=5")["items"][-1]
        job = self.api("/api/jobs?job_type=data_pipeline&limit=1")["items"][0]["job_id"]
        model = str(self.api("/api/ml/models/active")["version"])
        a, b = ahead["player_a"], ahead["player_b"]
        key = self.api("/api/keys?limit=1")["items"][0]["id"]
        return {
            "/": "/",
            "/matches/{external_id:name}": path("matches", ahead["external_id"]),
            "/players/{handle:name}": path("players", a),
            "/teams/{team:name}": path("teams", ahead["team_a"]),
            "/h2h": f"/h2h?a={a.replace(' ', '+')}&b={b.replace(' ', '+')}",
            "/jobs/{job_id}": path("jobs", job),
            "/jobs/{job_id}/cancel": path("jobs", job, "cancel"),
            "/jobs/{job_id}/retry": path("jobs", job, "retry"),
            "/models/{version}": path("models", model),
            "/models/{version}/activate": path("models", model, "activate"),
            "/models/compare": f"/models/compare?v1={model}&v2={model}",
            "/keys/{key_id}/revoke": path("keys", key, "revoke"),
            "/alerts/{number}/acknowledge": path("alerts", str(self.alert()), "acknowledge"),
        }

    @property
    def folder(self) -> Path:
        """Where it keeps its database and its models."""
        [folder] = self.home.glob("demo-*")
        return folder

    @property
    def dsn(self) -> str:
        """The address of its database."""
        return PrivatePostgres(self.folder).application_dsn

    def alert(self) -> int:
        """The number of an alert that is open; one is made where all is well."""
        with psycopg.connect(self.dsn) as connection:
            [(made,)] = (
                connection.execute(
                    "insert into alerts (rule, subject, severity, state, message, remedy, since, opened_at, seen_at) "
                    "values ('trial', '', 'warning', 'open', 'a trial', 'nothing', now(), now(), now()) "
                    "on conflict do nothing returning id"
                ).fetchall()
                or connection.execute("select id from alerts where state = 'open' limit 1").fetchall()
            )
        return int(made)


def start(home: Path, days: int = DAYS, **settings: str) -> System:
    """Run the demo until its dashboard is served."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "NUMBA_CACHE_DIR", "LANG")}
    generous = {"TIPOFF_READS_A_MINUTE": "1000000", "TIPOFF_WRITES_A_MINUTE": "100000", "TIPOFF_STREAMS": "1000"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tipoff", "demo", "--days", str(days), "--port", "0"], text=True,
        bufsize=1, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**kept, **generous, "PYTHONPATH": str(ROOT), "TIPOFF_HOME": str(home), **settings},
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Dashboard at "):
            break
    else:
        raise AssertionError("".join(said))
    drain = threading.Thread(target=process.stdout.read, daemon=True)  # what it says later must not fill the pipe
    drain.start()
    key = next(home.glob("demo-*/api-key")).read_text().strip()
    return System(line.split()[2], key, home, process, drain)


def stop(system: System) -> None:
    """End it as Ctrl-C does, and its database."""
    system.process.send_signal(signal.SIGINT)
    assert system.process.wait(60) == 0
    system.drain.join(10)
    assert system.process.stdout is not None
    system.process.stdout.close()
    for folder in system.home.glob("demo-*"):
        PrivatePostgres(folder).reset()
