"""The checks of the database and of the machine, by breaking the real thing: they turn, come back, one alert each."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.freezing import frozen
from tests.health import SECOND, Watched, watching
from tests.jobs import eventually
from tests.proxy import Proxy
from tests.supabase_storage import SECRET
from tipoff.health.machine import Gauge
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool, open_pool


def now() -> dt.datetime:
    """The present."""
    return dt.datetime.now(dt.UTC)


def test_a_stopped_database(own: PrivatePostgres, tmp_path: Path) -> None:
    """An outage that is over before anybody wrote it down, an alert for each look, or blind checks called healthy."""
    with (
        contextlib.closing(open_pool(own.application_dsn)) as pool,
        watching(pool, own.application_dsn, tmp_path) as seen,
    ):
        seen.until("database", "healthy")
        before = now()
        own.stop()
        check = seen.until("database", "error", "database_away")
        assert check.since is not None
        assert before - SECOND < check.since <= now()  # it began with the look that found it
        assert check.since - before < 3 * SECOND
        for name in ("job_queue", "models", "data_freshness", "forecasts"):
            assert seen.check(name).status == "error"
            assert [f.rule for f in seen.check(name).findings] == ["not_looked_at"]
        time.sleep(1.0)  # it stays away for longer than it takes to be believed
        assert seen.check("database").since == check.since
        own.start()
        seen.until("database", "healthy")
        alert = seen.only("database_away", "resolved")
        assert abs(alert.since - check.since) < SECOND
        assert alert.opened_at is not None
        assert alert.opened_at > before
        assert not seen.alerts("not_looked_at")


def test_a_frozen_database(own: PrivatePostgres, tmp_path: Path) -> None:
    """A report that waits for a server which swallows everything."""
    with (
        contextlib.closing(open_pool(own.application_dsn)) as pool,
        watching(pool, own.application_dsn, tmp_path) as seen,
    ):
        seen.until("database", "healthy")
        with frozen(own):
            begun = time.monotonic()
            seen.until("database", "error", "database_away")
            assert time.monotonic() - begun < 8.0
            begun = time.monotonic()
            report = seen.monitor.fresh()
            assert time.monotonic() - begun < 6.0
            assert report.checks["resources"].looked
        seen.until("database", "healthy")
        seen.only("database_away", "resolved")
        eventually(lambda: _looking(own) <= 2, "connections that were cut off to be closed")


def _looking(postgres: PrivatePostgres) -> int:
    with psycopg.connect(postgres.dsn) as connection:
        [(number,)] = connection.execute(
            "select count(*) from pg_stat_activity where application_name = 'tipoff health'"
        ).fetchall()
        return int(number)


def test_statements_that_run_for_long(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """Somebody's report that holds the database up for an hour."""
    with watching(pool, application_dsn, tmp_path, slow_query=0.5) as seen:
        seen.until("database", "healthy")
        with psycopg.connect(application_dsn, autocommit=True) as other:
            thread = threading.Thread(target=_sleep, args=(other,))
            thread.start()
            seen.until("database", "warning", "slow_queries")
            seen.only("slow_queries", "open")
            other.cancel()
            thread.join()
        seen.until("database", "healthy")
        seen.only("slow_queries", "resolved")


def _sleep(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        connection.execute("select pg_sleep(60)")


def test_connections_that_are_used_up(own: PrivatePostgres, tmp_path: Path) -> None:
    """Every connection of the server is taken; nobody knows why nothing goes on."""
    limits = {"connections_percent_warning": 50, "connections_percent_error": 85}
    with contextlib.closing(open_pool(own.application_dsn)) as pool, watching(
        pool, own.application_dsn, tmp_path, **limits
    ) as seen, contextlib.ExitStack() as many:  # fmt: skip
        seen.until("database", "healthy")
        most = int(seen.check("database").metrics["database_connections_most"])
        for share, status in ((0.6, "warning"), (0.9, "error")):
            while _connections(own) < share * most:
                many.enter_context(psycopg.connect(own.application_dsn))
            seen.until("database", status, "connections_used_up")
            seen.only("connections_used_up", "open")
        many.close()
        seen.until("database", "healthy")
        assert seen.only("connections_used_up", "resolved").severity == "error"


def _connections(postgres: PrivatePostgres) -> int:
    with psycopg.connect(postgres.dsn) as connection:
        [(number,)] = connection.execute(
            "select count(*) from pg_stat_activity where backend_type = 'client backend'"
        ).fetchall()
        return int(number) - 1


def test_a_schema_of_other_code(
    pool: Pool, owner: psycopg.Connection[tuple[object, ...]], application_dsn: str, tmp_path: Path
) -> None:
    """Old code on a new schema, or new code on an old one, that work until they do not."""
    with watching(pool, application_dsn, tmp_path) as seen:
        seen.until("database", "healthy")
        owner.execute("insert into supabase_migrations.schema_migrations (version) values ('29990101000000')")
        seen.until("database", "warning", "schema_differs")
        owner.execute("delete from supabase_migrations.schema_migrations where version = '29990101000000'")
        seen.until("database", "healthy")
        [(version, name)] = owner.execute(
            "delete from supabase_migrations.schema_migrations where version = "
            "(select max(version) from supabase_migrations.schema_migrations) returning version, name"
        ).fetchall()
        seen.until("database", "error", "schema_differs")
        seen.only("schema_differs", "open")
        owner.execute(
            "insert into supabase_migrations.schema_migrations (version, name) values (%s, %s)", (version, name)
        )
        seen.until("database", "healthy")
        assert seen.only("schema_differs", "resolved").severity == "error"


def test_a_table_that_somebody_locked(
    pool: Pool, owner: psycopg.Connection[tuple[object, ...]], application_dsn: str, tmp_path: Path
) -> None:
    """One check that waits for a lock takes the others with it."""
    with watching(pool, application_dsn, tmp_path) as seen:
        seen.until("database", "healthy")
        with owner.transaction():
            owner.execute("lock table quarantine in access exclusive mode")
            check = seen.until("data_freshness", "error", "check_hung")
            assert not check.looked
            assert seen.check("database").status == "healthy"
            assert seen.check("job_queue").looked
            seen.only("check_hung", "open")
        eventually(lambda: seen.check("data_freshness").looked, "it to look again")
        seen.only("check_hung", "resolved")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up(pool: Pool, application_dsn: str, small_disk: Path) -> None:
    """A disk that is full before anybody says so; the store of models on it is then away as well."""
    with watching(pool, application_dsn, small_disk) as seen:
        seen.until("resources", "healthy")
        (small_disk / "log").write_bytes(bytes(15_500_000))
        seen.until("resources", "warning", "disk_low")
        (small_disk / "more").write_bytes(bytes(800_000))
        seen.until("resources", "error", "disk_low")
        with contextlib.suppress(OSError), (small_disk / "rest").open("wb") as rest:
            while True:
                rest.write(bytes(4096))
                rest.flush()
        seen.until("artifact_store", "error", "store_away")
        seen.only("store_away", "open")
        for name in ("log", "more", "rest"):
            (small_disk / name).unlink()
        seen.until("resources", "healthy")
        seen.until("artifact_store", "healthy")
        assert seen.only("disk_low", "resolved").severity == "error"
        seen.only("store_away", "resolved")


def test_a_container_within_its_limits(tmp_path: Path) -> None:
    """A container of 512 MB on a machine of 24 GB that has plenty left. The files are as the kernel writes them."""
    files = {
        "memory.max": "536870912\n", "memory.current": "500000000\n",
        "memory.stat": "anon 1\ninactive_file 100000000\n", "cpu.max": "50000 100000\n",
        "cpu.stat": "usage_usec 0\nuser_usec 0\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    gauge = Gauge(tmp_path, tmp_path)
    begun = time.monotonic()
    while time.monotonic() < begun + 0.4:
        pass
    (tmp_path / "cpu.stat").write_text(f"usage_usec {int((time.monotonic() - begun) * 250_000)}\n")
    machine = gauge.look()
    assert machine.memory_percent == pytest.approx(100 * 400 / 536.870912, abs=0.1)
    assert machine.memory_available_mb == pytest.approx(136.870912e6 / 2**20, abs=0.1)
    assert machine.cpu_percent == pytest.approx(50, abs=5)
    (tmp_path / "memory.max").write_text("max\n")
    assert gauge.look().memory_percent < 100


def test_a_store_that_is_slow_and_hangs(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A store of models that takes connections and never answers: the report must not wait, nor threads pile up."""
    script = tmp_path / "store.py"
    script.write_text(
        "import uvicorn, socket\nfrom tests.supabase_storage import Bucket\n"
        "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(64); print(s.getsockname()[1], flush=True)\n"
        "uvicorn.Server(uvicorn.Config(Bucket(created=True).app(), log_level='error')).run(sockets=[s])\n"
    )
    with subprocess.Popen(
        [os.sys.executable, str(script)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            proxy = Proxy(int(process.stdout.readline()))
            with contextlib.closing(proxy), _on_supabase(pool, application_dsn, tmp_path, proxy.port) as seen:
                seen.until("artifact_store", "healthy")
                for delay, status in ((0.15, "warning"), (0.4, "error")):  # two questions each
                    proxy.delay = delay
                    seen.until("artifact_store", status, "store_slow")
                    seen.only("store_slow", "open")
                proxy.delay = 0.0
                seen.until("artifact_store", "healthy")
                assert seen.only("store_slow", "resolved").severity == "error"
                process.send_signal(signal.SIGSTOP)
                seen.until("artifact_store", "error", "check_hung", 20)
                seen.only("check_hung", "open")
                threads = sum(t.name == "health artifact_store" for t in threading.enumerate())
                assert threads == 1
                process.send_signal(signal.SIGCONT)
                seen.until("artifact_store", "healthy", seconds=20)
                seen.only("check_hung", "resolved")
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


@contextlib.contextmanager
def _on_supabase(pool: Pool, dsn: str, home: Path, port: int) -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPABASE_URL", f"http://127.0.0.1:{port}")
        patch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET)
        with watching(pool, dsn, home, store_seconds_warning=0.25, store_seconds_error=0.7) as seen:
            yield seen
