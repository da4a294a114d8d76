"""The doctor: a sound deployment is called sound; what is wrong is named with its mend, soon, without secrets."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.jobs import ROOT
from tests.pooler import pooled
from tests.secrets import TOKEN, shown
from tests.supabase_storage import LEGACY, SECRET, Bucket
from tipoff.clock import SystemClock
from tipoff.doctor.examination import examine
from tipoff.doctor.line import Level, Line
from tipoff.league.runner import league_server, served
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.settings import Settings
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool

PASSWORD = "p4ss/w0rd+pg"


def seen(dsn: str, home: Path, environment: dict[str, str] | None = None, **more: str) -> dict[str, Line]:
    """The lines by name (of several with one name the last)."""
    given = {"DATABASE_URL": dsn, "TIPOFF_HOME": str(home), "TIPOFF_SOURCE": "league", **more}
    settings = Settings.model_validate(given)
    return {line.name: line for line in examine(settings, [], {**given, **(environment or {})})}


def of_level(lines: dict[str, Line], level: Level) -> set[str]:
    """Names of the lines that are so."""
    return {name for name, line in lines.items() if line.level is level}


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(20)
        yield int(listening.getsockname()[1])


@contextlib.contextmanager
def upstream(body: bytes, seconds: float = 0.0) -> Iterator[str]:
    """A league's server that answers so, by a clock that is off by `seconds`."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(int((timestamp or time.time()) + seconds))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_a_sound_deployment(pool: Pool, application_dsn: str, tmp_path: Path) -> None:
    """A doctor that finds fault with everything; one that shows a key; exit codes that mean nothing."""
    with pool.connection() as connection:
        connection.execute(
            "insert into job_workers (name, host, pid, version, types, concurrency, running) "
            "values ('w', 'h', 1, '0', '{}', 1, 0)"
        )
    bucket, league = Bucket(), LeagueApp(League(LeagueSettings(seed=5)), SystemClock())
    with served(bucket.app()) as store, league_server(league) as url:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TIPOFF_")},
            "PYTHONPATH": str(ROOT), "TIPOFF_HOME": str(tmp_path), "SUPABASE_URL": store,
            "DATABASE_URL": f"{application_dsn} password={PASSWORD}", "SUPABASE_SERVICE_ROLE_KEY": SECRET,
            "OPERATOR_API_KEY": "pW4xN0q8sUe2Yb7L", "TIPOFF_LEAGUE_URL": url, "TIPOFF_SOURCE": "h2h-2026",
        }  # fmt: skip
        run = [sys.executable, "-m", "tipoff", "doctor"]
        done = subprocess.run(
            [*run, "--json"], env=environment, capture_output=True, text=True, cwd=tmp_path,
            check=False,
        )  # fmt: skip
        said = json.loads(done.stdout)
        lines = {line["name"]: line for line in said["lines"]}
        assert (done.returncode, said["sound"]) == (0, True), done.stdout
        assert {name for name, line in lines.items() if line["level"] != "ok"} == {"champion"}, done.stdout
        assert len(lines) == 15
        assert bucket.created
        assert bucket.objects == {}  # what was tried is taken away again
        people = subprocess.run(
            run, env={**environment, "TIPOFF_HORIZON": "5", "SUPABASE_ANON_KEY": "sb_secret_x"}, capture_output=True,
            text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert people.returncode == 1
    assert "error   settings        SUPABASE_ANON_KEY is a secret key" in people.stdout
    assert "-> did you mean TIPOFF_HORIZONS?" in people.stdout
    assert not shown(done.stdout + done.stderr + people.stdout + people.stderr)
    assert "pW4xN0q8" not in done.stdout + people.stdout


def test_a_database_without_the_schema(server: PrivatePostgres, tmp_path: Path) -> None:
    """A traceback for tables that are not there yet."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("create database no_schema")
    lines = seen(server.dsn.replace("dbname=postgres", "dbname=no_schema"), tmp_path)
    assert (lines["schema"].level, lines["schema"].mend) == ("error", "python -m tipoff db migrate")
    assert of_level(lines, Level.SKIPPED) >= {"operator key", "champion", "workers"}


def test_a_schema_that_is_behind_or_ahead(dsn: str, tmp_path: Path, owner: psycopg.Connection[Any]) -> None:
    """A deploy whose migrations were forgotten; an old process called sound in the middle of a deploy."""
    history = "supabase_migrations.schema_migrations"
    owner.execute(f"insert into {history} (version, name) values ('29991231235959', 'newer')".encode())
    assert seen(dsn, tmp_path)["schema"].level == "warn"
    owner.execute(f"delete from {history} where version = (select max(version) from {history})".encode())
    owner.execute(f"delete from {history} where version = (select max(version) from {history})".encode())
    line = seen(dsn, tmp_path)["schema"]
    assert (line.level, line.seen.startswith("1 migrations are missing")) == ("error", True)


@pytest.mark.parametrize(
    ("mode", "port", "level", "said"),
    [("transaction", 6543, "warn", "transaction"), ("transaction", 7654, "warn", "transaction"),
     ("session", 7654, "ok", "session")],
)  # fmt: skip
def test_what_stands_before_the_database(
    application_dsn: str, tmp_path: Path, mode: str, port: int, level: str, said: str
) -> None:
    """A pooler through which nothing is heard, taken for a database; or told by its port alone."""
    with pooled(application_dsn, port, mode) as dsn:
        line = seen(dsn, tmp_path)["pooler"]
    assert (line.level, f"in {said} mode" in line.seen) == (level, True), line


def test_no_pooler(application_dsn: str, tmp_path: Path) -> None:
    """A direct connection taken for a pooler's."""
    assert seen(application_dsn, tmp_path)["pooler"] == Line("pooler", Level.OK, "none; notifications arrive")


def test_what_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """A doctor that hangs where the deployment does."""
    with silent() as port:
        begun = time.monotonic()
        lines = seen(
            f"postgresql://me:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/x", tmp_path, SUPABASE_URL=f"http://127.0.0.1:{port}",
            SUPABASE_SERVICE_ROLE_KEY=LEGACY, TIPOFF_LEAGUE_URL=f"http://127.0.0.1:{port}",
        )  # fmt: skip
        assert time.monotonic() - begun < 12
    assert of_level(lines, Level.ERROR) == {"database", "store", "upstream"}
    assert of_level(lines, Level.SKIPPED) >= {"schema", "pooler", "upstream clock"}
    assert not shown(str(lines))


def test_a_secret_in_what_was_seen_is_hidden(tmp_path: Path) -> None:
    """A key that somebody put into an address, in a report that is pasted into a chat."""
    more = {"TIPOFF_H2H_2025_TOKEN": TOKEN, "TIPOFF_LEAGUE_URL": f"http://127.0.0.1:9/{TOKEN}"}
    line = seen("host=127.0.0.1 port=9 user=me", tmp_path, TIPOFF_SOURCE="h2h-2026", **more)["upstream"]
    assert (line.level, "***" in line.seen, shown(str(line))) == ("error", True, [])


def test_a_database_that_stops_answering(
    own: PrivatePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine questions that wait five seconds each."""
    monkeypatch.setattr(
        "tipoff.storage.doctor.connections", lambda connection: connection.execute("select pg_sleep(60)")
    )
    monkeypatch.setattr("tipoff.doctor.line.PATIENCE", 0.5)
    lines = seen(own.application_dsn, tmp_path)
    assert lines["connections"].seen == "no answer within 0.5 s"
    assert {lines[name].seen for name in ("rights", "schema", "workers")} == {"the database stopped answering"}


def test_a_role_that_may_not(dsn: str, owner: psycopg.Connection[Any], tmp_path: Path) -> None:
    """A deployment whose role reads nothing, which fails at the first page; a table that Supabase's API shows."""
    owner.execute("drop role if exists nobody_of_ours")
    owner.execute("create role nobody_of_ours login")
    line = seen(dsn.replace("user=postgres", "user=nobody_of_ours"), tmp_path)["rights"]
    assert (line.level, line.seen.startswith("nobody_of_ours may not use")) == ("error", True)
    assert seen(dsn, tmp_path)["rights"].seen == "postgres owns the tables"
    owner.execute("create table public.left_open (n integer)")
    owner.execute("alter table public.left_open disable row level security")
    assert seen(dsn, tmp_path)["rights"].seen == "without row level security: left_open"


def test_what_is_missing_in_a_new_deployment(application_dsn: str, tmp_path: Path) -> None:
    """A deployment without a worker, a key and a model that is called sound."""
    lines = seen(application_dsn, tmp_path)
    assert of_level(lines, Level.ERROR) == {"workers"}
    assert of_level(lines, Level.WARN) >= {"operator key", "champion"}
    assert all(line.mend for line in lines.values() if line.level in (Level.WARN, Level.ERROR))


@pytest.mark.parametrize(
    ("key", "said"), [("sb_secret_of_another", "SUPABASE_SERVICE_ROLE_KEY"), (LEGACY, "written, read and deleted")]
)
def test_the_store(application_dsn: str, tmp_path: Path, key: str, said: str) -> None:
    """A key of another project that is noticed when the first model is trained; a bucket that was forgotten."""
    bucket = Bucket()
    with served(bucket.app()) as url:
        line = seen(application_dsn, tmp_path, SUPABASE_URL=url, SUPABASE_SERVICE_ROLE_KEY=key)["store"]
    assert said in line.seen
    assert line.level == ("ok" if key == LEGACY else "error")


@pytest.mark.parametrize(
    ("body", "seconds", "league", "clock"),
    [(b"<html>", 0.0, "error", "ok"), (b"[]", 30.0, "warn", "warn"), (b"[]", -7200.0, "warn", "error")],
)
def test_the_league(
    application_dsn: str, tmp_path: Path, body: bytes, seconds: float, league: str, clock: str
) -> None:
    """A server that answers something else; a clock by which forecasts are sealed after the match."""
    with upstream(body, seconds) as url:
        lines = seen(application_dsn, tmp_path, TIPOFF_LEAGUE_URL=url, TIPOFF_SOURCE="h2h-2026")
    assert (lines["upstream"].level, lines["upstream clock"].level) == (league, clock)


def test_the_specifications_values(tmp_path: Path) -> None:
    """A doctor that needs a database to say that there is none."""
    given = {
        "SUPABASE_URL": "your_supabase_url", "SUPABASE_ANON_KEY": "your_anon_key", "TIPOFF_SOURCE": "league",
        "SUPABASE_SERVICE_ROLE_KEY": "your_service_key", "TIPOFF_HOME": str(tmp_path),
    }  # fmt: skip
    lines = list(examine(Settings.model_validate(given), [], given))
    errors = [f"{line.name} {line.seen}" for line in lines if line.level is Level.ERROR]
    assert [one.split()[:2] for one in sorted(errors)] == [
        ["database", "settings:"], ["settings", "DATABASE_URL"], ["settings", "SUPABASE_SERVICE_ROLE_KEY"],
        ["settings", "SUPABASE_URL"],
    ]  # fmt: skip
