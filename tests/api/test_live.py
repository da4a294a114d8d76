"""Streams: a snapshot, then changes with revisions of jobs, steps, matches and forecasts."""

from __future__ import annotations

import datetime as dt
import json
import uuid

from tests.integration.test_live import activate, bring
from tests.sealing import body, waiting
from tests.streams import events, started, websocket
from tests.web import MASTER, WebProcess, rows
from tests.wire import fixture, payload, row
from tipoff.pipeline.state import bring_up_to_date
from tipoff.storage import ledger
from tipoff.storage.pool import Pool
from tipoff.storage.transitions import CLAIM, COMPLETE

MINUTE = dt.timedelta(minutes=1)


def test_jobs_are_followed_from_snapshot_to_change(web: WebProcess, pool: Pool) -> None:
    """A change that nobody is told of; a snapshot after the change that it should hold."""
    old = started(web, "/api/data/quick-refresh")
    with websocket(web, "jobs") as (stream, _), events(web, "jobs") as same:
        for one in (stream, same):
            first = one.next()
            assert (first["type"], first["topic"]) == ("snapshot", "jobs")
            assert [row["id"] for row in first["rows"]] == [old]
        new = started(web)
        revisions = [stream.row("jobs", new)["revision"]]
        assert same.row("jobs", new)["row"] == web.get("/api/jobs").json()["items"][0]
        assert web.post(f"/api/jobs/{new}/cancel").status_code == 200
        for one in (stream, same):
            row = one.row("jobs", new, lambda row: row["status"] == "cancelled")
            assert row["revision"] > revisions[0]
        assert web.request("DELETE", "/api/jobs/cleanup?days=0", MASTER).json()["deleted"] == 1
        for one in (stream, same):
            assert one.until(lambda message: message.get("gone"))["gone"] == [new]


def test_one_job_is_followed_step_by_step(web: WebProcess, pool: Pool) -> None:
    """A step that ends unseen; somebody else's job."""
    job, other = started(web), started(web, "/api/data/quick-refresh")
    with websocket(web, f"jobs/{job},jobs/{uuid.uuid4()}") as (stream, connection):
        shots = [stream.next(), stream.next()]
        assert sorted(len(shot["rows"]) for shot in shots) == [0, 1]
        revision = 0
        for change in (
            "insert into pipeline_jobs (job_id, step, position) values ('{job}', 'fetch', 0)",
            "update pipeline_jobs set progress = 40 where job_id = '{job}'",
            "delete from pipeline_jobs where job_id = '{job}'; "
            "insert into pipeline_jobs (job_id, step, position) values ('{job}', 'other', 0)",
        ):
            with pool.connection() as db:
                db.execute(change.format(job=job).encode())
                db.execute("update job_queue set message = 'x' where id = %s", (other,))
            row = stream.row(f"jobs/{job}", job)
            assert row["revision"] > revision
            revision = row["revision"]
        assert [step["step"] for step in row["row"]["steps"]] == ["other"]
        connection.send(json.dumps({"subscribe": ["jobs"], "unsubscribe": [f"jobs/{job}"]}))
        assert {row["id"] for row in stream.until(lambda m: m["topic"] == "jobs")["rows"]} == {job, other}
        web.post(f"/api/jobs/{job}/cancel")
        assert stream.row("jobs", job, lambda row: row["status"] == "cancelled")
    assert {message["topic"] for message in stream.kept[6:]} == {"jobs"}


def test_a_heartbeat_is_no_change(web: WebProcess, pool: Pool) -> None:
    """A message a second to everybody for every job that runs."""
    job = started(web)
    with pool.connection() as connection:
        connection.execute(CLAIM, {"types": ["model_training"], "limit": 1, "lease": 60.0, "worker": "w"})
    before = rows(pool, f"select revision, token from job_queue where id = '{job}'")
    with pool.connection() as connection:
        connection.execute("update job_queue set lease_until = now() + interval '9 min', progress_at = now()")
    assert rows(pool, f"select revision, token from job_queue where id = '{job}'") == before
    with pool.connection() as connection:
        values = {"id": job, "token": before[0][1], "result": "1", "message": "done"}
        assert connection.execute(COMPLETE, values).fetchone()
    assert rows(pool, f"select revision from job_queue where id = '{job}'")[0][0] == before[0][0] + 1


def test_matches_and_forecasts_are_followed(web: WebProcess, pool: Pool) -> None:
    """A fixture that moves, a forecast that is sealed, a result, a correction: each told with a newer revision."""
    now = rows(pool, "select date_trunc('second', clock_timestamp())")[0][0]
    start, day = now + 20 * MINUTE, now.date()
    with websocket(web, "matches,predictions") as (stream, _):
        assert {stream.next()["topic"], stream.next()["topic"]} == {"matches", "predictions"}
        bring(pool, payload([fixture(1, start, externalId="LIVE")], now, day))
        seen = [stream.row("matches", "LIVE")]
        moved = start + 2 * MINUTE
        bring(pool, payload([fixture(1, moved, externalId="LIVE")], now + MINUTE, day))
        seen.append(stream.row("matches", "LIVE", lambda row: row["start"] == f"{moved:%Y-%m-%dT%H:%M:%SZ}"))
        for a, b in ((55, 51), (56, 51)):
            ended = row(1, start=moved, externalId="LIVE", teamAScore=a, teamBScore=b)
            bring(pool, payload([ended], now + a * MINUTE, day))
            seen.append(stream.row("matches", "LIVE", lambda row, a=a: row["score_a"] == a))
        assert [one["revision"] for one in seen] == sorted({one["revision"] for one in seen})
    with pool.connection() as connection:
        [sealed] = waiting(connection, [start], "S")
    with events(web, "predictions") as stream:
        before = stream.row("predictions", "S0")
        with pool.connection() as connection:
            ledger.open_ledger(connection)
            [seq] = ledger.seal(connection, [body(sealed)])
        after = stream.row("predictions", "S0", lambda row: row["seals"])
        assert after["revision"] > before["revision"]
        assert after["row"]["seals"][0]["row"] == int(seq)
        activate(pool)
        bring_up_to_date(pool, now)
        shown = stream.row("predictions", "S0", lambda row: row["forecast"])
        assert shown["revision"] > after["revision"]
        item = next(i for i in web.get("/api/upcoming-matches").json()["items"] if i["external_id"] == "S0")
        assert shown["row"]["forecast"] == item["forecast"]


def test_so_many_changes_that_the_topic_is_sent_whole(web: WebProcess, pool: Pool) -> None:
    """A payload beyond what a notification holds; the newest of 300 left out."""
    with websocket(web, "jobs") as (stream, _):
        stream.next()
        with pool.connection() as connection:
            connection.execute(
                "insert into job_queue (type, rank) select 'cleanup', n from generate_series(1, 300) n"
            )
        assert len(stream.until(lambda m: m["type"] == "snapshot")["rows"]) >= 100
