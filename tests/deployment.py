"""A deployment that runs, traffic on it, and what becomes of its jobs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.production import Balancer, Checkout, Instance, Service

READS = (
    "/api/health", "/", "/api/upcoming-matches", "/api/matches?limit=20", "/record", "/api/ml/predictions",
    "/api/players", "/models", "/api/ledger",
)  # fmt: skip


@dataclasses.dataclass
class Deployment:
    """Everything that runs; `database` leads straight to the server, past the pooler."""

    checkout: Checkout
    services: dict[str, Service]
    settings: dict[str, str]
    database: str
    folder: Path
    balancer: Balancer
    since: dt.datetime
    webs: list[Instance] = dataclasses.field(default_factory=list)
    workers: list[Instance] = dataclasses.field(default_factory=list)

    @property
    def key(self) -> dict[str, str]:
        """The operator's key as a header."""
        return {"Authorization": f"Bearer {self.services['web'].environment['OPERATOR_API_KEY']}"}

    def new(self, kind: str) -> Instance:
        """A new instance, on a new disk."""
        return Instance(self.checkout, self.services[kind], self.settings, self.folder)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database says."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()


class Traffic:
    """Readers and a writer, each request once; `failed` says when, what and how."""

    def __init__(self, site: Deployment) -> None:
        self._site = site
        self.asked, self.failed = 0, list[tuple[float, str, str]]()
        self.jobs: dict[str, str | None] = {}
        """id of the job by idempotency key; None where no answer came"""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=act) for act in (self._read, self._read, self._write)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        with self._client() as client:
            for turn in range(1_000_000):
                if self._stop.wait(0.25):
                    return
                self._ask(client, "GET", READS[turn % len(READS)])

    def _write(self) -> None:
        with self._client() as client:
            while not self._stop.wait(2.0):
                self.post(client, str(uuid.uuid4()))

    def post(self, client: httpx.Client, key: str) -> None:
        """A job, or the one that this key has made."""
        self.jobs.setdefault(key, None)
        answer = self._ask(client, "POST", "/api/ml/generate-predictions", {"Idempotency-Key": key})
        if answer is not None and answer.status_code == 202:
            self.jobs[key] = answer.json()["job_id"]
        elif answer is not None and answer.status_code == 409:
            del self.jobs[key]

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._site.balancer.url, headers=self._site.key, timeout=20.0, trust_env=False)

    def _ask(
        self, client: httpx.Client, method: str, path: str, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        self.asked += 1
        try:
            answer = client.request(method, path, headers=headers)
        except httpx.TransportError as error:
            self.failed.append((time.monotonic(), f"{method} {path}", repr(error)))
            return None
        if answer.status_code not in (200, 202, 409):
            self.failed.append((time.monotonic(), f"{method} {path}", f"{answer.status_code} {answer.text[:200]}"))
            return None
        return answer


class Watch:
    """Every attempt of every job: when it was due and when it began."""

    def __init__(self, site: Deployment) -> None:
        self._site = site
        [(self.begun,)] = site.query("select clock_timestamp()")
        self.killed: dict[int, dt.datetime] = {}
        """when the worker of that pid was killed"""
        self._held: dict[tuple[uuid.UUID, int], int] = {}
        self.late: dict[tuple[uuid.UUID, int], float] = {}
        self.recovered: list[float] = []

    def look(self) -> None:
        """Note what began since the last look."""
        for job, attempt, worker, due, started in self._site.query(
            "select id, attempt, worker, greatest(created_at, run_after), started_at from job_queue "
            "where created_at >= %s and started_at is not null", self.begun,
        ):  # fmt: skip
            if worker:
                self._held[job, attempt] = int(worker.split(":")[1])
            if (job, attempt) in self.late:
                continue
            lost = self.killed.get(self._held.get((job, attempt - 1), 0))
            self.late[job, attempt] = (started - max(due, lost or due)).total_seconds()
            if lost is not None:
                self.recovered.append(self.late[job, attempt])

    def busy(self, workers: list[Instance]) -> list[Instance]:
        """Those that run a job which no kill has hit before."""
        held = {
            int(worker.split(":")[1])
            for (worker,) in self._site.query("select worker from job_queue where status = 'running' and attempt = 1")
        }
        return [one for one in workers if one.process.pid in held]

    def waiting(self) -> int:
        """How many are due or run."""
        [(number,)] = self._site.query(
            "select count(*) from job_queue where status = 'running' or (status = 'pending' and run_after < now())"
        )
        return int(number)
