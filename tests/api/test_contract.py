"""Each row of the contract's table, with its exact path, method, parameters and defaults."""

from __future__ import annotations

import base64
import csv
import io
import json
import shlex
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.web import MASTER, WebProcess, rows
from tipoff.storage.pool import Pool

PIPELINE = {
    "history_days": 30, "train_model": True, "return_predictions": True, "refresh_token": False,
    "training_days": 30, "min_matches": 3,
}  # fmt: skip


def live(web: WebProcess, path: str, **more: Any) -> dict[str, Any]:
    """A job that was accepted."""
    answer = web.post(path, **more)
    assert answer.status_code == 202, answer.text
    started: dict[str, Any] = answer.json()
    assert answer.headers["location"] == started["job_status_url"] == f"/api/jobs/{started['job_id']}"
    return started


@pytest.mark.parametrize(
    ("path", "body", "job_type", "params"),
    [
        ("/api/run-pipeline", None, "data_pipeline", PIPELINE),
        ("/api/run-pipeline", {}, "data_pipeline", PIPELINE),
        ("/api/run-pipeline", {"train_new_model": False, "history_days": 3, "min_matches": 5}, "data_pipeline",
         PIPELINE | {"train_model": False, "history_days": 3, "min_matches": 5}),
        ("/api/data/quick-refresh", None, "quick_data_refresh", {"refresh_token": False, "return_predictions": True}),
        ("/api/data/quick-refresh?refresh_token=true&return_predictions=false", None, "quick_data_refresh",
         {"refresh_token": True, "return_predictions": False}),
        ("/api/ml/generate-predictions", None, "prediction_generation",
         {"return_predictions": True, "require_model": True}),
        ("/api/ml/generate-predictions?return_predictions=false", None, "prediction_generation",
         {"return_predictions": False, "require_model": True}),
        ("/api/ml/train", None, "model_training",
         {"days_back": 30, "min_matches_per_player": 3, "performance_threshold": 0.0}),
        ("/api/ml/train?days_back=60&min_matches_per_player=5&performance_threshold=0.55", None, "model_training",
         {"days_back": 60, "min_matches_per_player": 5, "performance_threshold": 0.55}),
    ],
)  # fmt: skip
def test_an_operation_is_a_job(
    web: WebProcess, pool: Pool, path: str, body: object, job_type: str, params: dict[str, Any]
) -> None:
    """An operation that does something else than its name and its parameters say."""
    started = live(web, path, **({} if body is None else {"json": body}))
    assert (started["job_type"], started["status"], started["configuration"]) == (job_type, "pending", params)
    assert started["estimated_duration"]["seconds"] is None
    assert started["monitoring"]["cancel_url"] == f"/api/jobs/{started['job_id']}/cancel"
    [(stored_type, stored, by)] = rows(pool, "select type, params, requested_by from job_queue")
    assert (stored_type, stored, by) == (job_type, params, "api: OPERATOR_API_KEY")


def test_the_estimate_is_from_the_types_own_history(web: WebProcess, pool: Pool) -> None:
    """A duration that somebody made up."""
    rows(pool, """
        insert into job_queue (type, status, progress, result, rank, attempt, started_at, finished_at)
        select 'model_training', 'completed', 100, '{}', 0, 1, now() - make_interval(secs => n), now()
        from generate_series(10, 30, 10) as n returning 1
    """)  # fmt: skip
    estimate = live(web, "/api/ml/train")["estimated_duration"]
    assert estimate["seconds"] == pytest.approx(20, abs=0.1)
    assert estimate["jobs"] == 3
    assert "3 completed model_training" in estimate["basis"]


def test_a_second_pipeline_is_in_conflict_with_the_one_that_is_live(web: WebProcess, pool: Pool) -> None:
    """Two pipelines at once, or an answer that does not say which one is live."""
    first = live(web, "/api/run-pipeline")
    second = web.post("/api/run-pipeline")
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert second.headers["location"] == first["job_status_url"]
    assert len(rows(pool, "select 1 from job_queue")) == 1


def test_the_same_again_is_the_live_one_and_another_is_in_conflict(web: WebProcess, pool: Pool) -> None:
    """A training with other days that is said to be accepted while the live one has its own."""
    first = live(web, "/api/ml/train")
    assert live(web, "/api/ml/train")["job_id"] == first["job_id"]
    other = web.post("/api/ml/train?days_back=99")
    assert (other.status_code, other.headers["location"]) == (409, first["job_status_url"])


@pytest.mark.parametrize(
    ("path", "more", "where"),
    [
        ("/api/run-pipeline", {"json": {"history_days": -1}}, "/history_days"),
        ("/api/run-pipeline", {"json": {"history": 1}}, "/history"),
        ("/api/run-pipeline", {"json": {"history_days": False}}, "/history_days"),
        ("/api/run-pipeline", {"json": {"train_model": 0}}, "/train_model"),
        ("/api/run-pipeline", {"json": {"train_model": True, "train_new_model": False}}, "/"),
        ("/api/run-pipeline", {"json": [1]}, "/"),
        ("/api/run-pipeline", {"content": b"{", "headers": {"Content-Type": "application/json"}}, "/1"),
        ("/api/run-pipeline", {"content": b'{"a":"\xff"}', "headers": {"Content-Type": "application/json"}}, "/"),
        ("/api/run-pipeline", {"content": b"9" * 5000, "headers": {"Content-Type": "application/json"}}, "/"),
        ("/api/run-pipeline", {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, "/"),
        ("/api/run-pipeline", {"json": {"k" * 900_000: 1}}, "/" + "k" * 99),
        ("/api/run-pipeline?history_days=3", {}, "history_days"),
        ("/api/ml/train?days_back=1", {}, "days_back"),
        ("/api/ml/train?days_back=soon", {}, "days_back"),
        ("/api/data/quick-refresh?train=1", {}, "train"),
    ],
)
def test_a_wrong_request_says_where(web: WebProcess, pool: Pool, path: str, more: dict[str, Any], where: str) -> None:
    """An error that does not say what was wrong; or one that is ignored and a job that is started all the same."""
    answer = web.post(path, **more)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["errors"][0]["where"] == where
    assert len(answer.content) < 5000
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert rows(pool, "select 1 from job_queue") == []


def test_jobs_are_listed_in_pages_with_true_totals(web: WebProcess, pool: Pool) -> None:
    """A page that repeats or leaves out a row; a total that is that of the page."""
    rows(pool, """
        insert into job_queue (type, status, rank, cancel_requested_at, finished_at, created_at)
        select case n % 2 when 0 then 'cleanup' else 'outbox_delivery' end, 'cancelled', 0, now(), now(),
          now() - make_interval(secs => n / 3) from generate_series(1, 25) as n returning 1
    """)  # fmt: skip
    live(web, "/api/ml/train")
    seen, path = [], "/api/jobs?limit=7"
    while path:
        answer = web.get(path)
        page = answer.json()
        assert page["total"] == 26
        assert page["totals"] == {"pending": 1, "running": 0, "completed": 0, "failed": 0, "cancelled": 25}
        seen += [job["job_id"] for job in page["items"]]
        path = answer.links["next"]["url"] if page["next_cursor"] else ""
        assert ("next" in answer.links) == bool(page["next_cursor"])
    assert len(seen) == len(set(seen)) == 26
    only = web.get("/api/jobs?status=cancelled&job_type=cleanup&limit=200").json()
    assert (len(only["items"]), only["total"], only["next_cursor"]) == (12, 12, None)
    for key in ('"nonsense"', '["2026-01-01T00:00:00+00:00",5]', '[1,"x"]', '["2026-01-01T00:00:00+00:00"]', "{}"):
        cursor = base64.urlsafe_b64encode(key.encode()).decode()
        assert web.get(f"/api/jobs?cursor={cursor}").status_code == 422, key
    assert web.get("/api/jobs?limit=201").status_code == 422
    for asked in ({"path": "/api/jobs?format=csv"}, {"path": "/api/jobs", "headers": {"Accept": "text/csv"}}):
        answer = web.get(**asked)  # type: ignore[arg-type]
        assert answer.headers["content-type"].startswith("text/csv")
        assert [row["job_id"] for row in csv.DictReader(io.StringIO(answer.text))] == seen


def test_one_job_is_shown_whole(web: WebProcess, pool: Pool) -> None:
    """A job without its steps or its error."""
    job_id = live(web, "/api/run-pipeline")["job_id"]
    rows(pool, "insert into pipeline_jobs (job_id, step, position) select id, 'fetch', 0 from job_queue returning 1")
    answer = web.get(f"/api/jobs/{job_id}")
    job = answer.json()
    assert (job["job_id"], job["configuration"], job["steps"][0]["step"]) == (job_id, PIPELINE, "fetch")
    again = web.get(f"/api/jobs/{job_id}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert web.get(f"/api/jobs/{uuid.uuid4()}").status_code == 404


def test_cancel_and_retry(web: WebProcess, pool: Pool) -> None:
    """A cancel that is answered with success and did nothing."""
    here = live(web, "/api/run-pipeline")["job_status_url"]
    assert web.post(f"{here}/retry").status_code == 409
    assert web.post(f"{here}/cancel").json()["status"] == "cancelled"
    assert web.get(here).json()["status"] == "cancelled"
    assert web.post(f"{here}/cancel").status_code == 409
    assert web.post(f"{here}/retry").json()["status"] == "pending"
    assert web.get(here).json()["status"] == "pending"
    for what in ("cancel", "retry"):
        assert web.post(f"/api/jobs/{uuid.uuid4()}/{what}").status_code == 404


def test_cleanup_deletes_old_final_jobs_only(web: WebProcess, pool: Pool) -> None:
    """A live job that is deleted; or a young one."""
    rows(pool, """
        insert into job_queue (type, status, rank, cancel_requested_at, finished_at)
        select 'cleanup', 'cancelled', 0, now(), now() - make_interval(days => n) from generate_series(1, 20) as n
        returning 1
    """)  # fmt: skip
    started = live(web, "/api/ml/train")
    rows(pool, "update job_queue set created_at = now() - interval '90 days' where status = 'pending' returning 1")
    assert web.request("DELETE", "/api/jobs/cleanup", MASTER).json() == {"deleted": 14, "days": 7.0}
    assert web.request("DELETE", "/api/jobs/cleanup?days=0", MASTER).json()["deleted"] == 6
    assert [str(row[0]) for row in rows(pool, "select id from job_queue")] == [started["job_id"]]


def test_the_system_says_what_it_is(web: WebProcess, pool: Pool) -> None:
    """Figures that are not those of the database."""
    live(web, "/api/ml/train")
    [train] = web.get("/api/system/job-stats").json()["items"]
    assert (train["type"], train["pending"]) == ("model_training", 1)
    status = web.get("/api/system/status").json()
    assert status["schema_version"] == status["schema_expected"]
    assert status["rows"]["matches"] == {"rows": 0, "exact": True}
    assert status["champion"] is None
    assert web.get("/api/health").json() == {"status": "ok", "database": "ok", "detail": None, "version": "0.1.0"}


def test_the_specifications_commands_run_as_written_with_a_key(web: WebProcess, pool: Pool) -> None:
    """A client of the earlier system that is refused for another reason than its missing key."""
    commands = [
        """curl -X POST "https://your-app.onrender.com/api/run-pipeline" -H "Content-Type: application/json"
           -d '{"history_days": 30, "train_model": true, "return_predictions": true, "refresh_token": false}'""",
        'curl -X POST "https://your-app.onrender.com/api/data/quick-refresh'
        '?refresh_token=false&return_predictions=true"',
        'curl -X POST "https://your-app.onrender.com/api/ml/train?days_back=30&min_matches_per_player=3"',
    ]
    for command in commands:
        here = shlex.split(command.replace("https://your-app.onrender.com", web.url))
        bare = subprocess.run([*here, "-s", "-w", "\n%{http_code}"], check=True, capture_output=True, text=True)
        assert bare.stdout.endswith("401")
        keyed = subprocess.run(
            [*here, "-s", "-H", f"X-API-Key: {MASTER}"], check=True, capture_output=True, text=True
        )
        started = json.loads(keyed.stdout)
        status = subprocess.run(
            ["curl", "-s", f"{web.url}/api/jobs/{started['job_id']}"], check=True, capture_output=True, text=True
        )
        assert json.loads(status.stdout)["status"] == "pending"


def test_the_process_is_light(web: WebProcess) -> None:
    """A web process that loads the compiler of the forecast: 250 MB and half a minute on a small instance."""
    loaded = Path(f"/proc/{web.process.pid}/maps").read_text()
    assert not [name for name in ("/numba/", "/llvmlite/", "/scipy/") if name in loaded]
