"""What still works while a part is gone, slow or flapping: cells of the table in docs/operations.md."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.delivery import hook, minutes, round_of, tell
from tests.health import Watched, watching
from tests.installation import DAYS, Installation, installation, outcome
from tests.jobs import ended, eventually, job, order, running
from tests.receiver import Receiver
from tests.supabase_storage import SECRET
from tipoff.storage.embedded import PrivatePostgres


@pytest.fixture(scope="module")
def whole(server: PrivatePostgres, template: str) -> Iterator[Installation]:
    """An installation of which each test takes a part away and puts it back."""
    with psycopg.connect(server.dsn, autocommit=True) as owner:
        owner.execute(f"create database degraded template {template}".encode())
    dsn = server.application_dsn.replace("dbname=postgres", "dbname=degraded")
    with psycopg.connect(server.dsn.replace("dbname=postgres", "dbname=degraded"), autocommit=True) as owner:
        owner.execute(
            "create table effects (n integer, pid integer, attempt integer, at timestamptz default clock_timestamp())"
        )
        owner.execute("grant select, insert, delete on effects to tipoff_app")
    with tempfile.TemporaryDirectory(prefix="tipoff-") as home:
        Path(home).chmod(0o755)
        with installation(dsn, Path(home)) as made:
            yield made


@pytest.fixture
def house(whole: Installation) -> Iterator[Installation]:
    """The same, whole at the beginning and at the end."""
    with whole.pool.connection() as connection:
        connection.execute("delete from job_queue")
        connection.execute("delete from effects")
    yield whole
    for relay in (whole.league, whole.database, whole.store):
        relay.delay = 0.0
        relay.up()


@contextlib.contextmanager
def seen(house: Installation, dsn: str = "", **limits: float) -> Iterator[Watched]:
    """A monitor of this installation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPABASE_URL", house.settings["SUPABASE_URL"])
        patch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET)
        with watching(house.pool, dsn or house.dsn, house.home, **limits) as made:
            yield made


def forecasts_go_on(house: Installation) -> None:
    """Matches that are due are forecast and sealed, and the API answers."""
    prefix = uuid.uuid4().hex[:6]
    house.fixtures(prefix)
    done = ended(house.pool, house.enqueue("prediction_generation"))
    assert outcome(done) == ("completed", None)
    assert done.result["fixtures"] >= 3
    assert house.sealed(prefix) == 3
    shown = house.web.get(f"/api/ml/predictions/{prefix}0")
    assert shown.status_code == 200, shown.text


def passing(house: Installation, job_id: uuid.UUID, kind: str, attempts: int = 1) -> None:
    """Wait until that many attempts have failed for a passing reason; it is tried again."""

    def waits() -> bool:
        now = job(house.pool, job_id)
        assert not now.status.final, now
        return now.attempt >= attempts and outcome(now) == ("pending", kind)

    eventually(waits, "it to fail", 30)


def test_upstream_gone(house: Installation) -> None:
    """Forecasts that wait for the league's server; a refresh that has to be asked for again once it is back."""
    with seen(house, fetch_minutes_warning=5 / 60, fetch_minutes_error=6 / 60) as watched:
        house.league.down()
        refresh = house.enqueue("hasty_refresh", history_days=0)
        passing(house, refresh, "transient_upstream_error")
        forecasts_go_on(house)
        watched.until("data_freshness", "error", "source_stale")
        house.league.up()
        assert outcome(ended(house.pool, refresh)) == ("completed", None)
        eventually(lambda: "source_stale" not in rules(watched, "data_freshness"), "the league to be heard")


def rules(watched: Watched, check: str) -> list[str]:
    """What a check has found."""
    return [f.rule for f in watched.check(check).findings]


def test_upstream_slow(house: Installation) -> None:
    """Forecasts behind a slow refresh; a silence that is waited for until the job's time is up."""
    house.league.delay = 60.0
    refresh = house.enqueue("hasty_refresh", history_days=0)
    running(house.pool, refresh)
    forecasts_go_on(house)
    passing(house, refresh, "transient_upstream_error")
    house.league.delay = 0.5
    assert outcome(ended(house.pool, refresh)) == ("completed", None)


def test_upstream_flapping(house: Installation) -> None:
    """Days that were answered and are asked for again; a long history that is never had."""
    house.league.down()
    house.league.up(left=4)
    before = house.league.asked
    history = house.enqueue("hasty_refresh", history_days=DAYS + 12)
    for attempt in (1, 2):
        passing(house, history, "transient_upstream_error", attempt)
        house.league.up(left=4)
    forecasts_go_on(house)
    passing(house, history, "transient_upstream_error", 3)
    house.league.up()
    done = ended(house.pool, history)
    assert outcome(done) == ("completed", None)
    assert done.attempt > 3
    assert 12 < house.league.asked - before <= done.result["fetch"]["days"]


def test_database_slow(house: Installation) -> None:
    """A third of a second more for each question, and time-outs everywhere; or nobody who says why it is slow."""
    house.database.delay = 0.26
    with seen(house, patience=5.0) as watched:
        jobs = [house.enqueue("effect", n=n) for n in range(2)]
        begun = time.monotonic()
        assert house.web.get("/api/jobs?limit=7").status_code == 200
        assert time.monotonic() - begun < 5.0
        assert house.web.get("/api/health").json()["database"] == "ok"
        forecasts_go_on(house)
        watched.until("database", "warning", "database_slow")
        assert {ended(house.pool, one).status for one in jobs} == {"completed"}
    assert sorted(order(house.pool)) == [0, 1]


def test_database_flapping(house: Installation) -> None:
    """Jobs that are lost or done twice, processes that end, requests that hang, in minutes of coming and going."""
    count = 12
    kept = house.web.get("/api/jobs?limit=8")
    assert kept.status_code == 200
    for n in range(count):
        house.enqueue("effect", n=n, seconds=0.2)
    with house.database.flapping(0.9, 0.5):
        end = time.monotonic() + 6
        while time.monotonic() < end:
            begun = time.monotonic()
            assert house.web.get("/api/health").status_code == 200
            assert house.web.get("/api/jobs?limit=8").status_code == 200
            assert house.web.get(f"/api/jobs/{uuid.uuid4()}").status_code in (404, 503)
            assert time.monotonic() - begun < 5.0
    house.web.until_database("ok")
    assert house.web.get(f"/api/jobs/{uuid.uuid4()}").status_code == 404
    eventually(lambda: len(order(house.pool)) >= count, "every job to be done", 30)
    assert sorted(order(house.pool)) == list(range(count))
    assert house.worker.process.poll() is None


def test_artifact_store_gone(house: Installation) -> None:
    """Forecasts that need the store; a training that has to be asked for again."""
    with seen(house, patience=5.0) as watched:
        house.store.down()
        training = house.enqueue("hasty_training", days_back=2)
        passing(house, training, "transient_artifact_error")
        forecasts_go_on(house)
        check = watched.until("artifact_store", "error", seconds=20)
        assert check.findings[0].rule in ("store_away", "check_hung")
        house.store.up()
        assert outcome(ended(house.pool, training, 60)) == ("completed", None)
        watched.until("artifact_store", "healthy", seconds=20)


def test_artifact_store_slow(house: Installation) -> None:
    """Forecasts behind a training that waits for the store."""
    house.store.delay = 0.5
    training = house.enqueue("model_training", days_back=2)
    eventually(lambda: house.store.asked and "comparing" in job(house.pool, training).message, "the store", 30)
    forecasts_go_on(house)
    assert outcome(ended(house.pool, training, 60)) == ("completed", None)


def test_artifact_store_flapping(house: Installation) -> None:
    """A sound model that is refused as unreadable because the store went away before it was read back."""
    house.store.down()
    house.store.up(left=5)
    training = house.enqueue("hasty_training", days_back=2)
    eventually(lambda: not house.store.is_up, "the store to go", 30)
    passing(house, training, "transient_artifact_error")
    before = models(house)
    with house.store.flapping(1.5, 0.3):
        done = ended(house.pool, training, 60)
    assert outcome(done) == ("completed", None)
    assert models(house) == before + 1
    assert "cannot be read" not in done.result["reason"]


def models(house: Installation) -> int:
    """How many are registered."""
    with house.pool.connection() as connection:
        [(number,)] = connection.execute("select count(*) from model_registry").fetchall()
    return int(number)


def test_alert_channel_slow(house: Installation) -> None:
    """A receiver that takes every message and answers none: jobs, pages and other receivers that wait for it."""
    with Receiver() as slow, Receiver() as well:
        hook(house.pool, slow, "slow")
        hook(house.pool, well, "well")
        slow.open.clear()
        tell(house.pool, 1, 2, 3)
        delivery = house.enqueue("outbox_delivery")
        eventually(lambda: slow.got, "it to be told")
        begun = time.monotonic()
        forecasts_go_on(house)
        assert not job(house.pool, delivery).status.final
        assert time.monotonic() - begun < 10.0
        assert ended(house.pool, delivery).result == {"delivered": 3, "failed": 1}
        assert told(well) == [1, 2, 3]
        slow.open.set()
        assert round_of(house.pool, minutes(60 * 24 * 365))["delivered"] == 3
        assert told(slow) == [1, 1, 2, 3]
        assert [got.json["may_be_a_repeat"] for got in slow.got] == [False, True, False, False]


def told(receiver: Receiver) -> list[int]:
    """The alerts it was told of, in order."""
    return [got.json["alert"]["id"] for got in receiver.got]


def test_alert_channel_flapping(house: Installation) -> None:
    """Messages that are lost, come in another order, or repeat without saying so, while it comes and goes."""
    ahead: list[bool] = []
    said = 0

    def status(number: int) -> int:
        ahead.append(len(well.got) == said)
        return 500 if number % 3 == 0 else 204

    with Receiver() as well, Receiver(status) as receiver:
        hook(house.pool, receiver, "flapping")
        hook(house.pool, well, "steady")
        receiver.down()
        for minute in range(60):
            (receiver.up if minute % 2 else receiver.down)()
            if minute < 20:
                tell(house.pool, minute, now=minutes(minute))
                said += 1
            round_of(house.pool, minutes(minute))
            assert told(well) == list(range(min(minute + 1, 20)))
        assert list(dict.fromkeys(told(receiver))) == list(range(20))
        for got, last in zip(receiver.got, ahead, strict=True):
            again = got.json["attempt"] > 1
            assert got.json["may_be_a_repeat"] == again
            assert last or not again, "what has failed went before what has not"


def test_workers_gone(house: Installation) -> None:
    """A job that is refused, lost or forgotten because nobody works at the moment."""
    house.worker.stop()
    with seen(house, worker_seconds=6) as watched:
        watched.until("job_queue", "error", "no_workers")
        asked = house.web.post("/api/ml/generate-predictions")
        assert asked.status_code == 202, asked.text
        job_id = uuid.UUID(asked.json()["job_id"])
        assert house.web.get(f"/api/jobs/{job_id}").json()["status"] == "pending"
        house.worker = house.another_worker()
        assert outcome(ended(house.pool, job_id)) == ("completed", None)
        eventually(lambda: "no_workers" not in rules(watched, "job_queue"), "it to be seen")


def test_workers_frozen(house: Installation) -> None:
    """Jobs that are lost or done twice when all workers freeze past their leases and then go on."""
    jobs = [house.enqueue("effect", n=n, seconds=1.0) for n in range(4)]
    eventually(lambda: len(house.worker.family()) >= 4, "both places to work")
    with seen(house, worker_seconds=6) as watched:
        house.worker.signal(signal.SIGSTOP, children=True)
        watched.until("job_queue", "error", "no_workers")
        assert house.web.get("/api/jobs?limit=11").status_code == 200
        another = house.another_worker()
        try:
            assert {ended(house.pool, one).status for one in jobs} == {"completed"}
            house.worker.signal(signal.SIGCONT, children=True)
            running_again = house.enqueue("nothing")
            assert ended(house.pool, running_again).status == "completed"
        finally:
            house.worker.signal(signal.SIGCONT, children=True)
            another.stop()
    assert sorted(order(house.pool)) == [0, 1, 2, 3]
