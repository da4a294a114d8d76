"""A request followed to its job through the logs of two processes, in which no secret is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.jobs import WorkerProcess, ended, enqueue, eventually
from tests.secrets import OWNER, PASSWORD, SECRETS, shown
from tests.web import MASTER, WebProcess, rows
from tipoff.storage.pool import Pool

REQUEST = "follow-me-0001"


def events(text: str) -> list[dict[str, Any]]:
    """Every line; each must be one."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(event) for event in found)
    return found


def test_a_request_is_followed_and_no_secret_is_shown(
    pool: Pool, application_dsn: str, dsn: str, tmp_path: Path
) -> None:
    """A job nobody can trace back; a log that is a list of passwords."""
    address = f"{application_dsn} password='{PASSWORD}'"
    owner = f"{dsn} password='{OWNER}'"
    more = {**SECRETS, "TIPOFF_OWNER_DATABASE_URL": owner, "TIPOFF_SOURCE": "league"}
    web = WebProcess(address, tmp_path, **more)
    worker = WorkerProcess(address, tmp_path, "--no-schedules", **more)
    try:
        worker.ready()
        asked = {"history_days": 3, "train_model": False}
        started = web.post("/api/run-pipeline", json=asked, headers={"X-Request-ID": REQUEST}).json()
        found = ended(pool, started["job_id"], 120)
        assert found.status == "completed", found.error
        leaky = ended(pool, enqueue(pool, "leaky"))
        assert leaky.status == "failed"
        shown_job = web.get(f"/api/jobs/{found.id}").json()
        leaked = web.get(f"/api/jobs/{leaky.id}").text
        web.get(f"/api/matches/{MASTER}")
        web.until_logged("/api/matches/***")
        eventually(lambda: f"leaky {leaky.id} attempt 1: failed" in worker.output, "its end to be logged")
    finally:
        worker.stop()
        web.stop()
    here, there = web.log.read_text(), worker.output
    assert shown_job["request_id"] == found.request_id == REQUEST
    asking = [event for event in events(here) if event.get("request_id") == REQUEST]
    assert {event["event"] for event in asking} == {"job accepted", "request"}
    assert {event["job_id"] for event in asking if "job_id" in event} == {str(found.id)}
    working = [event for event in events(there) if event.get("request_id") == REQUEST]
    assert {event["job_id"] for event in working} == {str(found.id)}
    assert [event["outcome"] for event in working if "outcome" in event] == ["completed"]
    assert 0 < working[-1]["seconds"] < 120
    of_leaky = [event for event in events(there) if event.get("job_id") == str(leaky.id)]
    assert all((event["job_type"], event["attempt"]) == ("leaky", 1) and event["worker"] for event in of_leaky)
    assert sum(event["event"] == "output" for event in of_leaky) > 20
    assert (of_leaky[-1]["outcome"], of_leaky[-1]["error"], of_leaky[-1]["level"]) == (
        "failed", "input_error", "warning",
    )  # fmt: skip
    written = rows(pool, "select line from job_logs")
    assert len(written) > 20
    queued = rows(pool, "select message, error::text, result::text, params::text from job_queue")
    for text in (here, there, leaked, str(written), str(queued)):
        assert shown(text) == []


def test_jobs_that_a_job_asks_for_keep_its_request(pool: Pool) -> None:
    """A trail that ends at the first job."""
    from tests.jobs import JOBS

    with pool.connection() as connection:
        first = JOBS.enqueue(connection, "nothing", request_id=REQUEST)
        second = JOBS.enqueue(connection, "nothing", parent=first.id)
        other = JOBS.enqueue(connection, "nothing")
        assert JOBS.get(connection, second.id).request_id == REQUEST
        assert JOBS.get(connection, other.id).request_id is None
