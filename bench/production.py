"""A deployment by render.yaml's commands: memory over a full pipeline, times, what a request and a job cost."""

from __future__ import annotations

import contextlib
import datetime as dt
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from bench.load import load
from bench.postgres import fresh_postgres
from tests.freezing import postmaster
from tests.jobs import JOBS, ROOT, eventually, workers
from tests.production import Checkout, Instance, blueprint, helper
from tests.supabase_storage import PUBLIC, SECRET
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool, open_pool

DAYS, LEAGUES = 36, 2
"""18,000 matches"""
RUN = {"history_days": DAYS, "train_model": True, "return_predictions": True, "refresh_token": False}
PAGES = [
    "/",
    "/record",
    "/players",
    "/api/upcoming-matches",
    "/api/matches?limit=50",
    "/api/ml/predictions",
    "/models",
]
EXPECTED = {
    "health": "< 1 s", "job_creation": "< 2 s", "quick_refresh": "2-5 min", "full_pipeline": "5-15 min",
    "training": "3-8 min",
}  # fmt: skip
MB = 2**20
JOBS_DONE = 2000


class Sampled:
    """The most memory in MB that processes together held (shared pages once: PSS), and the first one alone (RSS)."""

    def __init__(self, family: Callable[[], list[psutil.Process]]) -> None:
        self._family, self._stop = family, threading.Event()
        self.together, self.first = 0.0, 0.0
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Sampled:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            sizes = []
            for process in self._family():
                with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    held = process.memory_full_info()
                    sizes.append((held.pss / MB, held.rss / MB))
            if sizes:
                self.together = max(self.together, sum(pss for pss, _ in sizes))
                self.first = max(self.first, sizes[0][1])


class Site:
    """Services on a fresh database, reached directly."""

    def __init__(self, postgres: PrivatePostgres, folder: Path, settings: dict[str, str]) -> None:
        self.postgres, self._folder = postgres, folder
        self._services, self._settings = blueprint(ROOT / "render.yaml"), settings
        self._checkout = Checkout(ROOT, Path(sys.executable).parent)
        self.key = self._services["web"].environment["OPERATOR_API_KEY"]
        self.made: list[Instance] = []

    def start(self, kind: str, **more: str) -> Instance:
        """An instance that is ready."""
        one = Instance(self._checkout, self._services[kind], {**self._settings, **more}, self._folder)
        self.made.append(one)
        one.ready()
        return one

    def client(self, web: Instance) -> httpx.Client:
        """The operator."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=web.url, headers=headers, timeout=60.0, trust_env=False)

    def done(self, client: httpx.Client, path: str, **more: Any) -> tuple[float, float, dict[str, Any]]:
        """Start a job: (seconds until it was accepted, seconds that it ran, the job)."""
        begun = time.perf_counter()
        made = client.post(path, **more)
        accepted = time.perf_counter() - begun
        assert made.status_code == 202, made.text
        where = made.headers["location"]
        eventually(lambda: client.get(where).json()["status"] in ("completed", "failed"), "the job to end", 290)
        job = client.get(where).json()
        assert job["status"] == "completed", job
        ran = dt.datetime.fromisoformat(job["finished_at"]) - dt.datetime.fromisoformat(job["started_at"])
        return accepted, ran.total_seconds(), job

    def size(self) -> tuple[int, int]:
        """(bytes of the database, matches)."""
        with psycopg.connect(self.postgres.dsn) as connection:
            [found] = connection.execute(
                "select pg_database_size(current_database())::bigint, (select count(*) from matches)::int"
            ).fetchall()
        return int(found[0]), int(found[1])


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """A database, a league of 18,000 matches, a store."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=DAYS)
    league = ("-m", "tests.dense", "--since", since.isoformat(), "--leagues", str(LEAGUES))
    with (
        fresh_postgres() as postgres,
        tempfile.TemporaryDirectory(prefix="tipoff-bench-") as name,
        helper(Path(name), "league", *league) as league_url,
        helper(Path(name), "store", "-m", "tests.supabase_storage") as store_url,
    ):
        made = Site(postgres, Path(name), {
            "SUPABASE_URL": store_url, "SUPABASE_ANON_KEY": PUBLIC, "SUPABASE_SERVICE_ROLE_KEY": SECRET,
            "DATABASE_URL": postgres.dsn, "API_PORT": "$PORT", "TIPOFF_LEAGUE_URL": league_url,
            "TIPOFF_SPACING": "0", "TIPOFF_READS_A_MINUTE": "100000000",
        })  # fmt: skip
        try:
            yield made
        finally:
            for one in made.made:
                one.stop(60)


def production() -> dict[str, Any]:
    """Web and worker apart, then both in one service, then what two of each give."""
    with site() as one:
        apart = _apart(one)
    with site() as one:
        together = _together(one)
    return {"expected": EXPECTED, "days": DAYS, **apart, "one_service_mb": together}


def _apart(one: Site) -> dict[str, Any]:
    web = one.start("web")
    with Sampled(web.family) as idle:
        time.sleep(5.0)
    empty, _ = one.size()
    worker = one.start("worker")
    with one.client(web) as client, Sampled(worker.family) as working, Sampled(web.family) as loaded:
        accepted, pipeline, _ = one.done(client, "/api/run-pipeline", json=RUN)
        load(web.port, one.key, PAGES, connections=8, seconds=15.0)
        refreshed = [one.done(client, "/api/data/quick-refresh") for _ in range(3)]
        _, trained, _ = one.done(client, "/api/ml/train?days_back=30")
        healthy = [_asked(client, "/api/health") for _ in range(100)]
        model = client.get("/api/ml/models/active").json()
    full, matches = one.size()
    return {
        "matches": matches,
        "seconds": {
            "health": {"p50": statistics.median(healthy), "max": max(healthy)},
            "job_creation": max(accepted, *(first for first, _, _ in refreshed)),
            "quick_refresh": max(ran for _, ran, _ in refreshed), "full_pipeline": pipeline, "training": trained,
        },
        "web_idle_mb": idle.first, "web_loaded_mb": loaded.first, "worker_mb": working.together,
        "model_bytes": _bytes(model), "database_bytes_a_match": (full - empty) / matches,
        "webs": _webs(one, web), "workers": _workers(one),
    }  # fmt: skip


def _asked(client: httpx.Client, path: str) -> float:
    begun = time.perf_counter()
    assert client.get(path).status_code == 200
    return time.perf_counter() - begun


def _bytes(model: dict[str, Any]) -> int:
    return int(model["size_bytes"])


def _together(one: Site) -> float:
    web = one.start("web", TIPOFF_ONE_SERVICE="true")
    with one.client(web) as client, Sampled(web.family) as whole:
        reader = threading.Thread(target=load, args=(web.port, one.key, PAGES[:1], 2, 20.0))
        reader.start()
        one.done(client, "/api/run-pipeline", json=RUN)
        reader.join()
        load(web.port, one.key, PAGES, connections=8, seconds=10.0)
        one.done(client, "/api/ml/train?days_back=30")
    return whole.together


def _webs(one: Site, web: Instance) -> list[dict[str, float]]:
    """One web process, then two, each asked as much as it answers; CPU of each, and of Postgres, a request."""
    second = one.start("web")
    return [_answering(one, webs) for webs in ([web], [web, second])]


def _answering(one: Site, webs: list[Instance]) -> dict[str, float]:
    found: list[dict[str, Any]] = []
    before = [_cpu(web.family()) for web in webs], _cpu(_servers(one.postgres))
    threads = [
        threading.Thread(target=lambda web=web: found.append(load(web.port, one.key, PAGES, 8, 10.0)))  # type: ignore[misc]
        for web in webs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = sum(part["answers"] for part in found)
    return {
        "processes": len(webs), "answers_a_second": sum(part["a_second"] for part in found),
        "p95_ms": max(part["p95_ms"] for part in found),
        "web_cpu_ms": 1000 * (sum(_cpu(web.family()) for web in webs) - sum(before[0])) / answers,
        "postgres_cpu_ms": 1000 * (_cpu(_servers(one.postgres)) - before[1]) / answers,
    }  # fmt: skip


def _workers(one: Site) -> list[dict[str, float]]:
    """Jobs that do nothing, by one worker process, then by two; CPU of Postgres for each."""
    return [_working(one.postgres, count) for count in (1, 2)]


def _working(postgres: PrivatePostgres, count: int) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="tipoff-bench-") as home,
        contextlib.closing(open_pool(postgres.dsn)) as pool,
        workers(postgres.dsn, Path(home), count, "--no-schedules", "--concurrency", "4"),
    ):
        before, begun = _cpu(_servers(postgres)), time.perf_counter()
        with pool.connection() as connection:
            JOBS.enqueue_many(connection, "nothing", [{}] * JOBS_DONE)
        eventually(lambda: _left(pool) == 0, "all jobs to be done", 120)
        took = time.perf_counter() - begun
        return {
            "processes": count, "jobs_a_second": JOBS_DONE / took,
            "postgres_cpu_ms": 1000 * (_cpu(_servers(postgres)) - before) / JOBS_DONE,
        }  # fmt: skip


def _left(pool: Pool) -> int:
    with pool.connection() as connection:
        [(number,)] = connection.execute(
            "select count(*) from job_queue where type = 'nothing' and finished_at is null"
        ).fetchall()
    return int(number)


def _servers(postgres: PrivatePostgres) -> list[psutil.Process]:
    first = postmaster(postgres)
    return [first, *first.children(recursive=True)]


def _cpu(processes: list[psutil.Process]) -> float:
    """Seconds that these and their ended children have used."""
    seconds = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            seconds += used.user + used.system + used.children_user + used.children_system
    return seconds
