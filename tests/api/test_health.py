"""Health and alerts over HTTP, and who is told when those who tell are what is gone."""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.api.test_outage import private
from tests.jobs import eventually, workers
from tests.receiver import Receiver
from tests.web import MASTER, WebProcess
from tipoff.health.rules import CHECKS
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool, open_pool

__all__ = ["private"]
QUICK = {
    "TIPOFF_HEALTH_EVERY": "0.3", "TIPOFF_HEALTH_OPEN_AFTER": "0.6", "TIPOFF_HEALTH_RESOLVE_AFTER": "1",
    "TIPOFF_HEALTH_PATIENCE": "2", "TIPOFF_HEALTH_WORKER_SECONDS": "7", "TIPOFF_HEALTH_CPU_PERCENT_WARNING": "101",
}  # fmt: skip
MACHINE = {
    "cpu_percent", "memory_percent", "memory_used_mb", "memory_available_mb", "disk_percent", "disk_free_gb"
}  # fmt: skip


@pytest.fixture
def quick(application_dsn: str, tmp_path: Path) -> Iterator[WebProcess]:
    """A process that looks several times a second."""
    process = WebProcess(application_dsn, tmp_path, **QUICK)
    try:
        yield process
    finally:
        assert process.stop() == 0, process.log.read_text()


def test_a_report_has_everything_and_costs_the_asker_nothing(web: WebProcess) -> None:
    """A dashboard that guesses; a health page that takes as long as the slowest check."""
    begun = time.monotonic()
    report = web.get("/api/system/health").json()
    assert time.monotonic() - begun < 1.0
    assert set(report["checks"]) == set(CHECKS)
    assert set(report["metrics"]) >= MACHINE
    assert report["overall_status"] == "error"  # there is no worker, no model and no league here
    assert len(report["errors"]) >= 3
    for check in report["checks"].values():
        assert (check["remedy"] is None) == (check["status"] == "healthy")
        assert check["since"] <= report["checked_at"]
    time.sleep(1.1)
    fresh = web.get("/api/system/health?fresh=true").json()
    assert fresh["checked_at"] > report["checked_at"]
    assert web.get("/api/system/health").json()["checked_at"] >= fresh["checked_at"]
    assert web.get("/api/system/health").headers["cache-control"] == "no-store"


def test_many_who_ask_for_a_look_get_the_same_one(web: WebProcess) -> None:
    """A hundred dashboards that each make the checks run."""
    time.sleep(1.1)
    with concurrent.futures.ThreadPoolExecutor(40) as many:
        answers = list(many.map(lambda _: web.get("/api/system/health?fresh=true").json()["checked_at"], range(40)))
    assert len(set(answers)) <= 3


def test_the_history_says_what_was(quick: WebProcess, pool: Pool) -> None:
    """A history that only knows the present; hours that nobody keeps."""
    eventually(lambda: quick.get("/api/system/health/history?hours=1").json()["items"], "something to tell of")
    with pool.connection() as connection:
        connection.execute(
            "insert into system_health (checked_at, overall_status, duration_ms, checker, statuses, metrics, report) "
            "select clock_timestamp() - interval '30 minutes', s, 1, 'test', jsonb_build_object('database', s), "
            "'{\"cpu_percent\": 50}', '{}' from unnest(array['healthy', 'warning', 'healthy']) as s"
        )
    history = quick.get("/api/system/health/history?hours=2").json()
    [then] = [item for item in history["items"] if item["metrics"].get("cpu_percent") == 50]
    assert (then["reports"], then["healthy"], then["status"], then["checks"]) == (
        3,
        2,
        "warning",
        {"database": "warning"},
    )
    assert history["seconds"] == 25.0
    assert 0 <= history["healthy_share"] <= 1
    assert quick.get("/api/system/health/history").json()["hours"] == 24
    for wrong in ("0", "169", "x", "1.5"):
        assert quick.get(f"/api/system/health/history?hours={wrong}").status_code == 422


def test_alerts_are_listed_and_taken_care_of(quick: WebProcess, pool: Pool) -> None:
    """An alert that nobody can find; one that anybody may silence; one that is acknowledged after it is over."""
    eventually(lambda: quick.get("/api/alerts").json()["items"], "an alert")
    eventually(lambda: "no_workers" in {a["rule"] for a in quick.get("/api/alerts").json()["items"]}, "that one")
    [alert] = [a for a in quick.get("/api/alerts").json()["items"] if a["rule"] == "no_workers"]
    assert (alert["state"], alert["severity"]) == ("open", "error")
    path = f"/api/alerts/{alert['id']}"
    assert quick.post(f"{path}/acknowledge", key=None).status_code == 401
    taken = quick.post(f"{path}/acknowledge", key=MASTER).json()
    assert (taken["state"], taken["acknowledged_by"]) == ("acknowledged", "operator")
    assert quick.get(path).json()["state"] == "acknowledged"
    time.sleep(1.0)  # looks that are written over it
    assert quick.get(path).json()["state"] == "acknowledged"
    with pool.connection() as connection:
        connection.execute(
            "update alerts set state = 'resolved', resolved_at = clock_timestamp() where id = %s", (alert["id"],)
        )
    assert quick.post(f"{path}/acknowledge").status_code == 409
    assert quick.post("/api/alerts/999999/acknowledge").status_code == 404
    assert quick.get("/api/alerts/0").status_code == 422
    assert alert["id"] in {a["id"] for a in quick.get("/api/alerts?state=resolved").json()["items"]}
    assert quick.get("/api/alerts?format=csv").text.startswith("id,rule,subject,severity,state")
    assert quick.post("/api/alert-trials").json() == {"messages": 0}


def test_a_database_that_is_away(private: PrivatePostgres, tmp_path: Path) -> None:
    """A green light over a stopped database; a report that waits for it; an outage that nobody hears of."""
    receiver = Receiver()
    channel = f"json://127.0.0.1:{receiver.port}/hook"
    web = WebProcess(private.application_dsn, tmp_path, TIPOFF_ALERT_URLS=channel, **QUICK)
    try:
        eventually(lambda: _status(web, "database") == "healthy", "it to be well")
        private.stop()
        eventually(lambda: _status(web, "database") == "error", "it to be seen", 8.0)
        for query in ("", "?fresh=true"):
            begun = time.monotonic()
            report = web.get(f"/api/system/health{query}").json()
            assert time.monotonic() - begun < (1.0 if not query else 5.0)
            assert report["checks"]["database"]["findings"][0]["rule"] == "database_away"
            assert report["checks"]["resources"]["looked"]
        eventually(
            lambda: any("database_away" in got.body.decode() for got in receiver.got), "somebody to be told", 20.0
        )
        told = sum("database_away" in got.body.decode() for got in receiver.got)
        assert told == 1
        private.start()
        eventually(lambda: _status(web, "database") == "healthy", "it to be back", 10.0)
        eventually(lambda: len(_known(web, "database_away")) == 1, "its one alert")
        eventually(lambda: _known(web, "database_away") == ["resolved"], "it to be over")
    finally:
        web.stop()
        receiver.down()


def _known(web: WebProcess, rule: str) -> list[str]:
    answer = web.get("/api/alerts?state=all")
    return [a["state"] for a in answer.json()["items"] if a["rule"] == rule] if answer.status_code == 200 else []


def _status(web: WebProcess, name: str) -> str:
    found: str = web.get("/api/system/health").json()["checks"][name]["status"]
    return found


def test_messages_reach_people_though_nobody_works(application_dsn: str, pool: Pool, tmp_path: Path) -> None:
    """The alert that no worker is alive waits for a worker to be delivered."""
    receiver = Receiver()
    channel = f"json://127.0.0.1:{receiver.port}/hook"
    with workers(application_dsn, tmp_path, 1, "--no-schedules") as [one]:
        web = WebProcess(application_dsn, tmp_path, TIPOFF_ALERT_URLS=channel, **QUICK)
        try:
            eventually(lambda: _status(web, "job_queue") == "healthy", "a worker to be seen")
            one.process.kill()
            one.process.wait()
            eventually(lambda: any("no_workers" in got.body.decode() for got in receiver.got), "the message", 40.0)
            eventually(lambda: "no_workers" in _delivered(pool), "it to be noted")
        finally:
            web.stop()
            receiver.down()


def test_a_pool_that_is_used_up(
    application_dsn: str, owner: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    """Every request waits and the check says that the database answers in a millisecond."""
    more = {**QUICK, "TIPOFF_HEALTH_POOL_WAITING_WARNING": "5", "TIPOFF_HEALTH_POOL_WAITING_ERROR": "12"}
    web = WebProcess(application_dsn, tmp_path, **more)
    with contextlib.closing(open_pool(application_dsn)), concurrent.futures.ThreadPoolExecutor(30) as many:
        try:
            eventually(lambda: _status(web, "database") == "healthy", "it to be well")
            for asked, status in ((10, "warning"), (20, "error")):
                with owner.transaction():
                    owner.execute("lock table model_registry in access exclusive mode")
                    waiting = [many.submit(web.get, f"/api/ml/models?limit={asked + n}") for n in range(asked)]
                    eventually(lambda: _rule(web, status), f"a {status} while {asked} wait", 9.0)  # noqa: B023
                concurrent.futures.wait(waiting)
            eventually(lambda: _status(web, "database") == "healthy", "it to be well again")
        finally:
            web.stop()


def _rule(web: WebProcess, severity: str) -> bool:
    found = web.get("/api/system/health").json()["checks"]["database"]["findings"]
    return any((f["rule"], f["severity"]) == ("pool_exhausted", severity) for f in found)


def test_who_may_not_read_learns_nothing(application_dsn: str, tmp_path: Path) -> None:
    """The state of a system whose operator closed it, told to everybody."""
    web = WebProcess(application_dsn, tmp_path, TIPOFF_OPEN_READS="false")
    try:
        for path in ("/api/system/health", "/api/system/health/history", "/api/alerts"):
            assert web.get(path).status_code == 401
            assert web.get(path, key=MASTER).status_code == 200
    finally:
        web.stop()


def _delivered(pool: Pool) -> list[str]:
    with pool.connection() as connection:
        return [
            row[0]
            for row in connection.execute(
                "select payload #>> '{notice,alert,rule}' from outbox where delivered_at is not null"
            ).fetchall()
        ]


@pytest.fixture
def pool(application_dsn: str) -> Iterator[Pool]:
    """A pool on the database of the test."""
    with contextlib.closing(open_pool(application_dsn)) as made:
        yield made
