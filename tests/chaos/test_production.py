"""The whole deployment as on Render: started by render.yaml's commands, killed at random, restarted in turn."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime as dt
import json
import random
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.chaos.evidence import WHOLE, keep, quantile, size
from tests.dense import DenseBook
from tests.jobs import ROOT, eventually
from tests.pooler import pooled
from tests.production import Balancer, Checkout, Instance, Service, blueprint, helper
from tests.supabase_storage import PUBLIC, SECRET
from tests.web import free_port
from tipoff.storage.embedded import PrivatePostgres

LEAGUES = 20
LATE = 10.0
MINUTE = dt.timedelta(minutes=1)
LAST = 2
"""minutes before the start at which a forecast is sealed at the latest"""
POOL = 38
"""connections of the pooler: five for each web, seven for each worker, one more of them while it is replaced"""
READS = (
    "/api/health", "/", "/api/upcoming-matches", "/api/matches?limit=20", "/record", "/api/ml/predictions",
    "/api/players", "/models", "/api/ledger",
)  # fmt: skip
RUN = {"history_days": 30, "train_model": True, "return_predictions": True, "refresh_token": False}


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


@contextlib.contextmanager
def deployed(own: PrivatePostgres, folder: Path) -> Iterator[Deployment]:
    """Build, migrate, start: two webs behind the proxy, three workers."""
    services = blueprint(ROOT / "render.yaml")
    checkout = Checkout.fresh(ROOT, folder)
    with psycopg.connect(own.dsn, autocommit=True) as connection:
        connection.execute("create role deployer login")
        connection.execute("create database production owner deployer")
    database = own.dsn.replace("dbname=postgres", "dbname=production")
    since = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    league = ("-m", "tests.dense", "--since", since.isoformat(), "--leagues", str(LEAGUES))
    with contextlib.ExitStack() as open_ones:
        enter = open_ones.enter_context
        address = enter(
            pooled(
                database.replace("user=postgres", "user=deployer"), free_port(), "session", size=POOL, loopback=True
            )
        )
        settings = {
            "SUPABASE_URL": enter(helper(folder, "store", "-m", "tests.supabase_storage")),
            "SUPABASE_ANON_KEY": PUBLIC,
            "SUPABASE_SERVICE_ROLE_KEY": SECRET, "DATABASE_URL": address, "API_PORT": "$PORT",
            "TIPOFF_LEAGUE_URL": enter(helper(folder, "league", *league)), "TIPOFF_SPACING": "0",
        }  # fmt: skip
        if not WHOLE:  # each new disk compiles for itself where all is measured: six times 20 s of both cores
            settings["NUMBA_CACHE_DIR"] = str(folder / "kernels")
        web = services["web"]
        once = {**web.environment, **settings, "RENDER": "true"}
        for command in (web.build, web.before):
            assert command is not None
            log = folder / "build.log"
            assert checkout.run(command, once, folder / "build", output=log) == 0, log.read_text()[-3000:]
        balancer = Balancer(folder, web.health or "", places=2)
        open_ones.callback(balancer.stop)
        made = Deployment(checkout, services, settings, database, folder, balancer, since)
        open_ones.callback(lambda: [one.kill(whole=True) for one in made.webs + made.workers])
        made.webs = [made.new("web") for _ in range(2)]
        made.workers = [made.new("worker") for _ in range(3)]
        for place, one in enumerate(made.webs):
            one.ready()
            balancer.put(place, one)
        for one in made.workers:
            one.ready()
        yield made


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


@pytest.mark.timeout(1200)
def test_killed_and_restarted(own: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Jobs or seals lost, doubled or late when machines die; requests that fail while each is replaced in turn."""
    folder = tmp_path_factory.mktemp("production")
    folder.chmod(0o755)
    with deployed(own, folder) as site:
        pipeline = _pipeline(site)
        measured = {"pipeline": pipeline, "connections": _connections(site), "killed": _killed(site)}
        measured["rolling"] = _rolling(site)
        measured["ledger"] = _truth(site)
    print(json.dumps(measured, indent=1))
    keep("production", measured)


def _pipeline(site: Deployment) -> dict[str, Any]:
    """The specification's first request, to its end; a second one meanwhile is told where that is."""
    client = httpx.Client(base_url=site.balancer.url, headers=site.key, timeout=20.0, trust_env=False)
    with client:
        begun = time.monotonic()
        made = client.post("/api/run-pipeline", json=RUN)
        accepted = time.monotonic() - begun
        assert made.status_code == 202, made.text
        again = client.post("/api/run-pipeline", json=RUN)
        assert (again.status_code, again.headers["location"]) == (409, made.headers["location"])
        where = made.headers["location"]
        eventually(lambda: client.get(where).json()["status"] in ("completed", "failed"), "the pipeline to end", 240)
        job = client.get(where).json()
        assert job["status"] == "completed", job
        assert client.get("/api/upcoming-matches").json()["items"]
        assert client.get("/api/system/status").json()["champion"]
    return {"seconds": round(time.monotonic() - begun, 1), "accepted_seconds": round(accepted, 3)}


def _connections(site: Deployment) -> dict[str, int]:
    return dict(
        site.query(
            "select application_name, count(*)::int from pg_stat_activity where datname = 'production' "
            "and application_name <> '' group by 1 order by 1"
        )
    )


def _killed(site: Deployment) -> dict[str, Any]:
    seconds, rng = size(30, 180), random.Random(20261126)
    victims = {"web": [site.webs[1]], "worker": site.workers[1:]}
    watch, kills = Watch(site), collections.Counter[str]()
    web_kills = list[float]()
    with Traffic(site) as traffic:
        end, following = time.monotonic() + seconds, time.monotonic() + 2.0
        down: list[tuple[float, Instance]] = []
        while time.monotonic() < end or watch.waiting() or down:
            watch.look()
            for at, one in [pair for pair in down if pair[0] <= time.monotonic()]:
                down.remove((at, one))
                one.again()
            if following <= time.monotonic() < end:
                kind = rng.choice(["web", "worker", "worker"])
                busy = watch.busy(victims["worker"])
                if kind == "worker" and not busy and rng.random() < 0.8:
                    time.sleep(0.02)
                    continue
                one = rng.choice(busy or victims[kind] if kind == "worker" else victims[kind])
                if all(one is not other for _, other in down) and one.process.poll() is None:
                    watch.killed[one.process.pid] = dt.datetime.now(dt.UTC)
                    web_kills += [time.monotonic()] if kind == "web" else []
                    one.kill(whole=rng.random() < 0.5)
                    kills[kind] += 1
                    down.append((time.monotonic() + rng.uniform(0.5, 2.0), one))
                following = time.monotonic() + rng.uniform(2.0, 6.0)
            time.sleep(0.1)
            assert time.monotonic() < end + 60, "jobs are left over"
        for one in [site.webs[1], *site.workers[1:]]:
            one.ready()
    watch.look()
    for moment, what, how in traffic.failed:
        assert any(0 <= moment - kill < 3.0 for kill in web_kills), (what, how)
    answered = len(traffic.failed)
    with httpx.Client(base_url=site.balancer.url, headers=site.key, timeout=20.0, trust_env=False) as client:
        for key in [key for key, job in traffic.jobs.items() if job is None]:
            traffic.post(client, key)
            assert traffic.jobs[key] is not None
    eventually(lambda: not watch.waiting(), "the last jobs to end")
    states = dict(
        site.query("select status, count(*)::int from job_queue where created_at >= %s group by 1", watch.begun)
    )
    asked = {job for job in traffic.jobs.values() if job}
    [(made,)] = site.query(
        "select count(*)::int from job_queue where created_at >= %s and requested_by like 'api:%%'", watch.begun
    )
    figures = {
        "seconds": seconds, "kills": dict(kills), "jobs": states, "attempts": len(watch.late),
        "acknowledged": len(asked), "made": made, "requests": traffic.asked, "failed_requests": answered,
        "latest_start": round(max(watch.late.values()), 2), "recovered": len(watch.recovered),
        "recovery_p50": round(quantile(watch.recovered, 0.5), 2) if watch.recovered else None,
        "recovery_max": round(max(watch.recovered, default=0.0), 2),
    }  # fmt: skip
    print(json.dumps(figures, indent=1))
    assert set(states) == {"completed"}
    assert made == len(asked)
    assert figures["latest_start"] <= LATE
    return figures


def _rolling(site: Deployment) -> dict[str, Any]:
    """Replaced as the platform does it: the new one healthy, traffic moved, the old one told to stop."""
    begun = time.monotonic()
    with Traffic(site) as traffic:
        for place, old in enumerate(list(site.webs)):
            new = site.new("web")
            site.webs.append(new)
            new.ready()
            site.balancer.take(place)
            site.balancer.put(place, new)
            assert old.stop(30) == 0, old.log.read_text()[-2000:]
            site.webs.remove(old)
        for old in list(site.workers):
            new = site.new("worker")
            site.workers.append(new)
            new.ready()
            assert old.stop(60) == 0, old.log.read_text()[-2000:]
            site.workers.remove(old)
    assert traffic.failed == []
    return {
        "seconds": round(time.monotonic() - begun, 1), "requests": traffic.asked,
        "failed_requests": len(traffic.failed), "jobs": len(traffic.jobs),
    }  # fmt: skip


def _truth(site: Deployment) -> dict[str, Any]:
    """The record against the league's own book: results, seals, grades, and the chain."""
    [(until,)] = site.query(
        "select min(created_at) from (select created_at from job_queue where type = 'quick_data_refresh' "
        "and status = 'completed' order by created_at desc limit 1) as newest"
    )
    book = DenseBook(site.since, LEAGUES)
    truth = {m.external_id: m for m in book.matches(site.since, until)}
    ended = {k for k, m in truth.items() if m.withdrawn_at is None and m.ended_at < until}
    found = {
        external_id: (a, b)
        for external_id, a, b in site.query(
            "select external_id, score_a, score_b from matches where start_at >= %s and status = 'final'", site.since
        )
    }
    final = {k for k in ended if truth[k].status == "MATCH_ENDED" and truth[k].score_a != truth[k].score_b}
    assert final - set(found) == set()
    assert {k: (truth[k].score_a, truth[k].score_b) for k in final} == {k: found[k] for k in final}
    [(begin,)] = site.query("select min(sealed_at) from match_predictions")
    judged = _tick(begin) + dt.timedelta(seconds=LATE + 1)
    time.sleep(max(0.0, (judged - dt.datetime.now(dt.UTC)).total_seconds()))  # one minute at least is looked at
    seals = site.query(
        "select external_id, horizon, start_at, sealed_at, count(*)::int from match_predictions group by 1, 2, 3, 4"
    )
    keys = [seal[:3] for seal in seals]
    assert len(keys) == len(set(keys))
    sealed = {(external_id, horizon): at for external_id, horizon, _, at, _ in seals}
    now = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LATE)
    due = {
        m.external_id: _tick(m.start - LAST * MINUTE)
        for m in book.matches(begin + LAST * MINUTE, now + 10 * MINUTE)
        if m.withdrawn_at is None and m.published_at < m.start - 10 * MINUTE
    }
    waited = [(sealed[k, LAST] - tick).total_seconds() for k, tick in due.items() if begin < tick < now]
    assert len(waited) >= size(0, 5)
    latest = round(max(waited), 2)
    [(attempts,)] = site.query("select max(attempt)::int from job_queue where type = 'prediction_generation'")
    assert latest <= LATE * max(1, attempts - 1)  # each kill of the job that seals costs one recovery
    verified = json.loads(
        subprocess.run(
            [site.checkout.programs / "python", "-m", "tipoff", "ledger", "verify", "--json"], check=True,
            capture_output=True, cwd=site.checkout.tree,
            env={**site.settings, "RENDER": "true", "HOME": str(site.folder / "build")},
        ).stdout
    )  # fmt: skip
    assert verified["broken"] is None, verified
    return {
        "results": len(final), "seals": len(seals), "latest_seal": latest, "most_attempts": attempts,
        "verified": verified["rows"],
    }  # fmt: skip


def _tick(moment: dt.datetime) -> dt.datetime:
    """The full minute from then on: forecasts are made each minute."""
    return moment + (dt.datetime.min.replace(tzinfo=dt.UTC) - moment) % MINUTE
