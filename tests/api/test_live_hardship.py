"""Streams under hardship: strange requests, clients that take too much, a database that is lost, an end."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.integration.test_live import activate
from tests.jobs import eventually
from tests.pooler import pooled
from tests.sealing import waiting
from tests.streams import PATIENCE, events, started, websocket
from tests.web import MASTER, WebProcess, make_key, rows
from tipoff.api.access import Scope
from tipoff.api.backend import Backend
from tipoff.api.live.client import Client
from tipoff.api.live.hub import Hub, _Message, _To
from tipoff.api.watcher import Watcher
from tipoff.pipeline.state import bring_up_to_date
from tipoff.settings import Settings
from tipoff.storage.pool import Pool, open_pool

MINUTE = dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [("?topics=nothing", 422, "topics are jobs"), ("?topics=jobs/12", 422, "topics are jobs"),
     ("?topics=", 422, "topics are jobs"), ("?strange=1", 422, "there are: topics"),
     ("?topics=" + ",".join(f"jobs/{uuid.UUID(int=n)}" for n in range(21)), 422, "up to 20")],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused(web: WebProcess, query: str, status: int, said: str) -> None:
    """A stream that is open and stays silent for ever."""
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{web.port}/api/ws{query}", proxy=None):
        pass
    problem = json.loads(refused.value.response.body or b"")
    assert refused.value.response.status_code == problem["status"] == status
    assert said in problem["detail"]
    assert problem["request_id"] == refused.value.response.headers["x-request-id"]
    assert web.get(f"/api/events{query}").status_code == status


def test_messages_that_make_no_sense(web: WebProcess, pool: Pool) -> None:
    """A client's slip that ends its stream without a word; a message without an end."""
    with websocket(web, "jobs") as (stream, connection):
        for text in ("no", "[]", '{"subscribe": ["x"]}', '{"subscribe": "jobs"}', '{"other": 1}'):
            connection.send(text)
            assert stream.until(lambda m: m["type"] == "error")["detail"]
        job = started(web)
        stream.row("jobs", job)
        connection.send("x" * 5000)
        with pytest.raises(ConnectionClosed) as closed:
            list(iter(stream.next, None))
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    with websocket(web, "jobs") as (stream, connection):
        connection.send(b"binary")
        with pytest.raises(ConnectionClosed, match="1007"):
            list(iter(stream.next, None))


def test_who_may_follow(shared_dsn: str, pool: Pool, folder: Path) -> None:
    """Somebody else's page that reads along; a stream that outlives its key; a client that takes all streams."""
    web = WebProcess(
        shared_dsn, folder, TIPOFF_OPEN_READS="false", TIPOFF_STREAMS="2", CORS_ORIGINS="https://ours.example"
    )
    key, key_id = make_key(pool, Scope.READ)

    def status(**more: Any) -> int:
        try:
            with websocket(web, "jobs", **more) as (stream, connection):
                assert stream.next()["type"] == "snapshot"
                assert connection.subprotocol == ("tipoff" if "subprotocols" in more else None)
        except InvalidStatus as refused:
            return refused.response.status_code
        return 101

    try:
        assert status() == 401
        assert status(additional_headers={"X-API-Key": "tipoff_wrong"}) == 401
        bearer = {"additional_headers": {"Authorization": f"Bearer {key}"}}
        assert status(**bearer) == 101
        assert status(subprotocols=["tipoff", f"key.{key}"]) == 101
        assert status(**bearer, origin="https://theirs.example") == 403
        assert status(**bearer, origin="https://ours.example") == 101
        assert status(**bearer, origin=web.url) == 101
        with websocket(web, "jobs", **bearer) as (first, _), websocket(web, "jobs", **bearer) as (second, _):
            assert status(**bearer) == 429
            first.next(), second.next()
            assert web.request("DELETE", f"/api/keys/{key_id}", MASTER).status_code == 200
            revoked = time.monotonic()
            for stream in (first, second):
                with pytest.raises(ConnectionClosed, match="1008"):
                    stream.next()
            assert time.monotonic() - revoked < 2.0
        assert key not in web.log.read_text()
    finally:
        assert web.stop() == 0


def test_a_revoked_key_ends_all_its_streams(shared_dsn: str, pool: Pool, folder: Path) -> None:
    """Streams that outlive their key because so many ask at once; an address locked out by its own streams."""
    web = WebProcess(shared_dsn, folder, TIPOFF_OPEN_READS="false", TIPOFF_FAILURES_A_MINUTE="", TIPOFF_STREAMS="50")
    (key, key_id), (other, _) = make_key(pool, Scope.READ), make_key(pool, Scope.READ)
    try:
        with contextlib.ExitStack() as open_ones:
            bearer = {"additional_headers": {"Authorization": f"Bearer {key}"}}
            streams = [open_ones.enter_context(websocket(web, "jobs", **bearer))[0] for _ in range(50)]
            for stream in streams:
                stream.next()
            web.request("DELETE", f"/api/keys/{key_id}", MASTER).raise_for_status()
            revoked = time.monotonic()
            for stream in streams:
                with pytest.raises(ConnectionClosed, match="1008"):
                    stream.next()
            assert time.monotonic() - revoked < 2.0
        assert web.get("/api/jobs", other).status_code == 200
    finally:
        assert web.stop() == 0


def test_one_client_may_not_have_it_all(shared_dsn: str, folder: Path) -> None:
    """Streams that are counted after they are open; a client that sends messages without an end."""
    web = WebProcess(shared_dsn, folder, TIPOFF_STREAMS="5", TIPOFF_READS_A_MINUTE="60")
    try:
        with contextlib.ExitStack() as open_ones:
            http = open_ones.enter_context(httpx.Client(base_url=web.url, timeout=PATIENCE, trust_env=False))
            threads = open_ones.enter_context(ThreadPoolExecutor(20))
            asked = [threads.submit(open_ones.enter_context, http.stream("GET", "/api/events")) for _ in range(20)]
            assert sorted(one.result().status_code for one in asked) == [200] * 5 + [429] * 15
        eventually(lambda: web.log.read_text().count('"path": "/api/events", "status": 200') == 5, "streams to end")
        with websocket(web, "jobs") as (stream, connection):
            for _ in range(60):
                connection.send(json.dumps({"subscribe": ["jobs"]}))
            with pytest.raises(ConnectionClosed, match="1013"):
                list(iter(stream.next, None))
    finally:
        assert web.stop() == 0


def test_what_cannot_be_read_harms_nobody_else(web: WebProcess, pool: Pool) -> None:
    """A notification of a later release, or a filter's state of an earlier one, that ends live updates for all."""
    activate(pool)
    bring_up_to_date(pool, rows(pool, "select clock_timestamp()")[0][0])
    with websocket(web) as (stream, _):
        assert len({stream.next()["topic"] for _ in range(3)}) == 3
        for payload_ in ("", "[]", '{"topic": 1}', '{"topic": "jobs", "ids": 3}', '{"topic": "later", "ids": ["x"]}'):
            with pool.connection() as connection:
                connection.execute("select pg_notify('tipoff_live', %s)", (payload_,))
        stream.row("jobs", started(web))
        with pool.connection() as connection:
            before = connection.execute("select state from filter_states").fetchall()
            connection.execute("update filter_states set state = 'no state', revision = revision + 1")
        stream.until(lambda m: m.get("topic") == "predictions" and m["type"] == "snapshot")
        stream.row("jobs", started(web, "/api/data/quick-refresh"))
        with pool.connection() as connection:
            connection.execute("update filter_states set state = %s, revision = revision + 1", before[0])
    assert not any(message["type"] == "lost" for message in stream.kept)
    assert web.get("/api/health").json()["status"] == "ok"


def test_a_row_that_changes_while_its_topic_is_read_anew(web: WebProcess, pool: Pool) -> None:
    """A grade of a match that is over, in the moment in which the filter learns from it."""
    with pool.connection() as connection:
        start = rows(pool, "select clock_timestamp() - interval '3 hours'")[0][0]
        waiting(connection, [start], "OVER")
    with websocket(web, "predictions") as (stream, _):
        assert "OVER0" not in {row["id"] for row in stream.next()["rows"]}
        with pool.connection() as connection:
            connection.execute("select pg_notify('tipoff_live', '{\"topic\": \"predictions\"}')")
            connection.execute("select tell('predictions', array['OVER0'])")
        stream.until(lambda m: m["type"] == "snapshot")
        assert stream.row("predictions", "OVER0")["row"]["status"] == "scheduled"


def test_slow_reads_hold_no_stream_up(web: WebProcess, pool: Pool) -> None:
    """Three requests that wait for a lock, and all streams that say that the database is away."""
    with websocket(web, "jobs") as (stream, _), ThreadPoolExecutor(3) as threads:
        stream.next()
        with pool.connection() as connection:
            connection.execute("lock table matches in access exclusive mode")
            slow = [threads.submit(httpx.get, f"{web.url}/api/matches?limit={n}", timeout=30) for n in (7, 8, 9)]
            waits = "select count(*) from pg_locks where relation = 'matches'::regclass and not granted"
            eventually(lambda: rows(pool, waits)[0][0] == 3, "three reads that wait", 5.0)
            connection.execute("insert into job_queue (type, rank, message) values ('cleanup', 1, 'quick')")
            connection.execute("select 1")
        begun = time.monotonic()
        stream.until(lambda m: m["type"] == "changes" and m["rows"][0]["row"]["message"] == "quick")
        assert time.monotonic() - begun < 1.0
        assert {one.result().status_code for one in slow} == {200}
    assert [message["type"] for message in stream.kept] == ["snapshot", "changes"]


def test_a_topic_that_cannot_be_read_ends_no_other(web: WebProcess, pool: Pool) -> None:
    """A migration that holds a table for a while, and nobody who sees a job any more."""
    with websocket(web, "jobs") as (jobs, _), websocket(web, "matches") as (matches, _):
        jobs.next(), matches.next()
        with pool.connection() as connection:
            [fixture_] = waiting(
                connection, [rows(pool, "select clock_timestamp() + interval '1 hour'")[0][0]], "LOCKED"
            )
        matches.row("matches", fixture_.external_id)
        with pool.connection() as connection:
            connection.execute("lock table matches in access exclusive mode")
            with pool.connection() as other:
                other.execute("update upcoming_matches set team_a = 'Other' where external_id = 'LOCKED0'")
            assert "cannot be read now" in matches.until(lambda m: m["type"] == "lost")["detail"]
            for path in ("/api/ml/train", "/api/data/quick-refresh"):
                begun = time.monotonic()
                jobs.row("jobs", started(web, path))
                assert time.monotonic() - begun < 1.0
        matches.until(lambda m: m["type"] == "snapshot")
    assert not any(message["type"] == "lost" for message in jobs.kept)


def test_times_are_utc_whatever_the_server_thinks(application_dsn: str, dsn: str, folder: Path) -> None:
    """A stream in New York's time beside a page in UTC."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(f"alter database {owner.info.dbname} set timezone = 'America/New_York'".encode())
    web = WebProcess(application_dsn, folder)
    try:
        with websocket(web, "jobs") as (stream, _):
            job = started(web)
            assert stream.row("jobs", job)["row"] == web.get("/api/jobs").json()["items"][0]
            assert {message["at"][-1] for message in stream.kept} == {"Z"}
    finally:
        assert web.stop() == 0


def test_steady_notifications_do_not_keep_it_from_looking(pool: Pool, application_dsn: str) -> None:
    """A busy queue that is taken for a database that is away."""

    class SlowHub(Hub):
        """Its work takes longer than it takes to be told of more."""

        def work(self, connection: Any) -> None:
            super().work(connection)
            time.sleep(0.01)

    backend, done = Backend(Settings()), threading.Event()
    hub = SlowHub(backend)
    watcher = Watcher(backend, hub)

    def tell() -> None:
        with psycopg.connect(application_dsn, autocommit=True) as connection:
            while not done.is_set():
                connection.execute("""notify tipoff_live, '{"topic": "jobs", "ids": []}'""")

    with psycopg.connect(application_dsn, autocommit=True) as connection, ThreadPoolExecutor(1) as threads:
        connection.execute("listen tipoff_live")
        telling = threads.submit(tell)
        begun = time.monotonic()
        watcher._hear(connection)
        done.set()
        assert 1.0 <= time.monotonic() - begun < 2.0
        telling.result()
    hub.stop()


def test_a_flood_of_signals_ends_it_too(shared_dsn: str, folder: Path) -> None:
    """A handler that a second signal interrupts while it holds a lock."""
    web = WebProcess(shared_dsn, folder)
    with events(web, "jobs") as stream:
        stream.next()
        end = time.monotonic() + 5.0
        while web.process.poll() is None and time.monotonic() < end:
            web.process.send_signal(signal.SIGTERM)
    assert web.process.poll() is not None
    web.stop()


def test_strange_origins_and_addresses(web: WebProcess) -> None:
    """A header that is no address, and a 500 for it."""
    for path, origin, status in (("ws", "http://[", 403), ("ws", "null", 403), ("other", None, 404), ("", None, 404)):
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(f"ws://127.0.0.1:{web.port}/api/{path}", proxy=None, origin=origin),  # type: ignore[arg-type]
        ):
            pass
        assert json.loads(refused.value.response.body or b"")["status"] == status


def test_the_database_connection_is_lost(web: WebProcess, pool: Pool) -> None:
    """Figures that look live and are not; a change that happened meanwhile and is never told."""
    job = started(web)
    with websocket(web, "jobs") as (stream, _), events(web, "jobs") as same:
        for one in (stream, same):
            assert one.next()["type"] == "snapshot"
        with pool.connection() as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and application_name = 'tipoff web'"
            )
            connection.execute("update job_queue set message = 'meanwhile' where id = %s", (job,))
        for one in (stream, same):
            assert "fresh snapshot follows" in one.next()["detail"]
            again = one.until(lambda m: m["type"] == "snapshot")
            assert [row["row"]["message"] for row in again["rows"]] == ["meanwhile"]
        web.post(f"/api/jobs/{job}/cancel")
        for one in (stream, same):
            one.row("jobs", job, lambda row: row["status"] == "cancelled")


@pytest.mark.parametrize("port", [6543, 6432])
def test_where_nothing_can_be_listened_to_changes_are_looked_for(
    application_dsn: str, folder: Path, port: int
) -> None:
    """A transaction pooler, through which no notification comes, whatever its port."""
    with pooled(application_dsn, port) as address, contextlib.closing(open_pool(application_dsn)) as pool:
        web = WebProcess(address, folder, TIPOFF_OWNER_DATABASE_URL=application_dsn.replace("tipoff_app", "postgres"))
        try:
            with websocket(web, "jobs,matches") as (stream, _):
                stream.next(), stream.next()
                job = started(web)
                first = stream.row("jobs", job)
                web.post(f"/api/jobs/{job}/cancel")
                second = stream.row("jobs", job, lambda row: row["status"] == "cancelled")
                assert second["revision"] > first["revision"]
                web.request("DELETE", "/api/jobs/cleanup?days=0", MASTER)
                assert stream.until(lambda message: message.get("gone"))["gone"] == [job]
                now = rows(pool, "select clock_timestamp()")[0][0]
                with pool.connection() as connection:
                    waiting(connection, [now + MINUTE], "P")
                first = stream.row("matches", "P0")
                for past in (2, 3):
                    with pool.connection() as connection:
                        connection.execute(
                            "update upcoming_matches set start_at = %s where external_id = 'P0'",
                            (now - past * 60 * MINUTE,),
                        )
                    moved = stream.row("matches", "P0")
                    assert moved["revision"] == first["revision"] + past - 1
                eventually(
                    lambda: web.get("/api/matches?status=scheduled").json()["items"], "what streams were told", 1.5
                )
        finally:
            assert web.stop() == 0


def test_a_client_that_does_not_read_is_dropped(web: WebProcess, pool: Pool) -> None:
    """One client on a bad line that fills the memory, or holds up all others."""
    with pool.connection() as connection:
        connection.execute(
            "insert into job_queue (type, rank, params, message) select 'cleanup', n, '{}', repeat('x', 20000) "
            "from generate_series(1, 100) n"
        )
    with contextlib.ExitStack() as open_ones:
        slow = open_ones.enter_context(socket.create_connection(("127.0.0.1", web.port)))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /api/events?topics=jobs HTTP/1.1\r\nHost: x\r\nX-Request-ID: slow-one-1\r\n\r\n")
        stream, _ = open_ones.enter_context(websocket(web, "jobs"))
        stream.next()
        for number in range(200):
            with pool.connection() as connection:
                connection.execute("update job_queue set message = %s || repeat('x', 20000)", (str(number),))
            stream.until(lambda m, n=str(number): any(r["row"]["message"].startswith(n + "x") for r in m["rows"]))
            if "too slow" in web.log.read_text():
                break
        web.until_logged("too slow")
    [dropped] = [json.loads(line) for line in web.log.read_text().splitlines() if '"stream dropped"' in line]
    assert dropped["request_id"] == "slow-one-1"


def test_sigterm_with_a_stream_that_nobody_reads(shared_dsn: str, pool: Pool, folder: Path) -> None:
    """A client that has gone to sleep keeps the process alive."""
    web = WebProcess(shared_dsn, folder)
    with pool.connection() as connection:
        connection.execute(
            "insert into job_queue (type, rank, message) select 'cleanup', n, repeat('x', 90000) "
            "from generate_series(1, 100) n"
        )
    with socket.create_connection(("127.0.0.1", web.port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /api/events?topics=jobs HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(100)
        begun = time.monotonic()
        assert web.stop() == 0
        assert time.monotonic() - begun < 4.0


def test_ctrl_c_with_an_open_stream(shared_dsn: str, folder: Path) -> None:
    """A terminal that has to be closed."""
    web = WebProcess(shared_dsn, folder)
    with events(web, "jobs") as stream:
        stream.next()
        web.process.send_signal(signal.SIGINT)
        web.process.wait(5)
        assert stream.until(lambda m: m["type"] == "stopping")
    web.stop()


def test_the_first_that_a_client_gets_was_read_after_it_joined() -> None:
    """A client that is shown what was read for another one before it came, and never told what changed since."""
    hub, client = Hub(Backend(Settings())), Client("somebody")
    hub.admit(client)
    hub.join(client, ["jobs"])
    number = client.topics["jobs"]
    for text, until in (("too old", number - 1), ("the first", number), ("the first again", number)):
        hub._deliver(_Message("jobs", text, _To.JOINED, until))
    hub._deliver(_Message("jobs", "changes", _To.WITH_WHOLE))
    hub._deliver(_Message("jobs", "afresh", _To.BOTH, number))
    hub.stop()
    assert [client._waiting.get_nowait() for _ in range(client._waiting.qsize())] == [
        "the first",
        "changes",
        "afresh",
    ]
