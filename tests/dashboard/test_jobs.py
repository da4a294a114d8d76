"""Jobs as pages: what there is, one job whole, and what operators do with them without JavaScript."""

from __future__ import annotations

import datetime as dt
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.jobs import eventually
from tests.pages import Visitor, by_id, form, words
from tests.web import MASTER, WebProcess, make_key
from tipoff.api.access import Scope
from tipoff.domain.job import JobStatus
from tipoff.storage import jobs
from tipoff.storage.pool import Pool

HOSTILE = "<script>alert(1)</script>\"'&"
PAST = dt.timedelta(seconds=90)


def put(pool: Pool, job_type: str, status: str, **more: Any) -> str:
    """A job of that status, made a while ago."""
    now = dt.datetime.now(dt.UTC)
    begun, ended = status != "pending", status not in ("pending", "running")
    values: dict[str, Any] = {
        "type": job_type, "status": status, "rank": 0, "created_at": now - PAST, "attempt": int(begun),
        "token": int(begun), "started_at": now - PAST if begun else None, "finished_at": now if ended else None,
        "result": Jsonb({}) if status == "completed" else None, "progress": 100 if status == "completed" else 0,
        "error": Jsonb({"kind": "boom", "message": "it broke", "where": "here"}) if status == "failed" else None,
        "worker": "w" if status == "running" else None, "lease_until": now + PAST if status == "running" else None,
        "cancel_requested_at": now if status == "cancelled" else None,
    } | more  # fmt: skip
    names = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    with pool.connection() as connection:
        [(made,)] = connection.execute(
            f"insert into job_queue ({names}) values ({places}) returning id".encode(), values
        ).fetchall()
    return str(made)


def status_of(pool: Pool, job_id: str) -> JobStatus:
    """Where it stands in the database."""
    with pool.connection() as connection:
        found = jobs.get(connection, uuid.UUID(job_id))
    assert found is not None
    return found.status


def until(visitor: Visitor, path: str, is_so: Callable[[ET.Element], object]) -> ET.Element:
    """The page once it is so: what was kept for a second is over."""
    found: list[ET.Element] = []

    def look() -> object:
        found.append(visitor.see(path))
        return is_so(found[-1])

    eventually(look, f"{path} to change", 5.0)
    return found[-1]


def counts(page: ET.Element) -> dict[str, str]:
    """The counters by their name."""
    found = {}
    for tile in by_id(page, "counters").iter("a"):
        name, count = tile
        found[words(name)] = words(count)
    return found


def rows(page: ET.Element) -> list[str]:
    """The text of each row of the list."""
    return [words(one) for one in by_id(page, "rows").iter("li")]


def left(page: ET.Element, now: dt.datetime) -> float:
    """Seconds from now until the running job of the list will have ended."""
    [ends] = by_id(page, "rows").findall(".//time[@data-countdown]")
    return (dt.datetime.fromisoformat(ends.get("datetime", "")) - now).total_seconds()


def test_counters_are_true_totals_and_filter(web: WebProcess, pool: Pool) -> None:
    """Counters that count the page; a filter that forgets the other one."""
    for _ in range(35):
        put(pool, "cleanup", "completed")
    failed = put(pool, "cleanup", "failed")
    put(pool, "model_review", "pending")
    visitor = Visitor(web)
    page = until(visitor, "/jobs", lambda page: counts(page)["All"] == "37")
    assert counts(page) == {
        "All": "37", "Running": "0", "Pending": "1", "Completed": "35", "Failed": "1", "Cancelled": "0",
    }  # fmt: skip
    assert len(rows(page)) == 30
    earlier = visitor.see(next(a.get("href", "") for a in page.iter("a") if a.get("rel") == "next"))
    assert len(rows(earlier)) == 7
    seen = {one.get("id") for shown in (page, earlier) for one in by_id(shown, "rows").iter("li")}
    assert len(seen) == 37
    [only] = by_id(visitor.see("/jobs?status=failed&job_type=cleanup"), "rows").iter("li")
    assert only.get("id") == f"j-{failed}"
    page = visitor.see("/jobs?job_type=model_review")
    assert counts(page)["All"] == "1"
    assert {a.get("href") for a in by_id(page, "counters").iter("a")} >= {"/jobs?status=failed&job_type=model_review"}
    none = visitor.see("/jobs?status=cancelled")
    assert "No job fits" in words(by_id(none, "main"))
    assert visitor.see("/jobs?status=x", 422) is not None


def test_a_running_job_says_how_far_it_is_and_when_it_will_have_ended(web: WebProcess, pool: Pool) -> None:
    """A bar without a figure; a remaining time that nobody can check."""
    now = dt.datetime.now(dt.UTC)
    for seconds in (100, 120, 140):
        put(pool, "cleanup", "completed", started_at=now - dt.timedelta(seconds=seconds), finished_at=now)
    job_id = put(pool, "cleanup", "running", progress=40, message="half of it", started_at=now)
    visitor = Visitor(web)
    page = until(visitor, "/jobs?job_type=cleanup", lambda page: len(rows(page)) == 4 and 119 < left(page, now) < 121)
    [row] = [one for one in by_id(page, "rows").iter("li") if one.get("id") == f"j-{job_id}"]
    [bar] = row.iter("progress")
    assert bar.get("value") == "40.0"
    assert "half of it" in words(row)
    [ends] = row.findall(".//time[@data-countdown]")
    whole = visitor.see(f"/jobs/{job_id}")
    [same] = by_id(whole, "state").findall(".//time[@data-countdown]")
    assert same.get("datetime") == ends.get("datetime")
    assert page.find(".//body").get("data-topics") == "jobs"  # type: ignore[union-attr]
    assert whole.find(".//body").get("data-topics") == f"jobs/{job_id}"  # type: ignore[union-attr]


def test_without_history_progress_says_when_and_lateness_is_said(web: WebProcess, pool: Pool) -> None:
    """'Ends never'; 'ends in 0 seconds' for an hour."""
    now = dt.datetime.now(dt.UTC)
    job_id = put(pool, "model_review", "running", progress=25, started_at=now - dt.timedelta(seconds=100))
    visitor = Visitor(web)
    [ends] = by_id(visitor.see(f"/jobs/{job_id}"), "state").findall(".//time[@data-countdown]")
    at = dt.datetime.fromisoformat(ends.get("datetime", ""))
    assert 295 < (at - now).total_seconds() < 330
    put(pool, "database_care", "completed", started_at=now - dt.timedelta(seconds=3), finished_at=now)
    late = put(pool, "database_care", "running", progress=99, started_at=now - dt.timedelta(seconds=60))
    assert "longer than usual" in words(by_id(visitor.see(f"/jobs/{late}"), "state"))


def test_one_job_whole(web: WebProcess, pool: Pool) -> None:
    """Steps, arguments, error, result or log that are not what the database holds."""
    job_id = put(
        pool, "data_pipeline", "failed", attempt=2, max_attempts=5, params=Jsonb({"history_days": 7}),
        requested_by="api: me", message="broke in fetch", dedupe_key="data_pipeline",
        error=Jsonb({"kind": "time_limit", "message": "ran for 120 s", "where": "fetch"}),
    )  # fmt: skip
    with pool.connection() as connection:
        connection.execute(
            "insert into pipeline_jobs (job_id, step, position, status, progress, rows_in, rows_out, started_at, "
            "finished_at, error) values (%(id)s, 'fetch', 0, 'completed', 100, 12, 3456, now() - interval '90 s', "
            "now() - interval '30 s', null), "
            "(%(id)s, 'ingest', 1, 'failed', 10, null, null, now() - interval '30 s', "
            """now(), '{"kind": "boom", "message": "half a row", "where": "x"}')""",
            {"id": job_id},
        )
        connection.execute(
            "insert into job_logs (job_id, token, number, attempt, line) values (%(id)s, 1, 0, 1, 'first line'), "
            "(%(id)s, 2, 0, 2, 'second attempt')",
            {"id": job_id},
        )
    page = Visitor(web).see(f"/jobs/{job_id}")
    assert "Full pipeline Failed" in words(page.find(".//h1"))  # type: ignore[arg-type]
    assert "2 of at most 5" in words(by_id(page, "state"))
    assert words(by_id(page, "error")) == "Why it failed time_limit ran for 120 s Where: fetch"
    first, second = list(by_id(page, "steps").iter("tr"))[1:]
    assert [words(cell) for cell in first] == ["fetch", "Completed", "12", "3,456", "1 min"]
    assert "boom: half a row" in words(second)
    assert "history_days7" in words(by_id(page, "main"))
    assert [words(one) for one in by_id(page, "log").iter("li")][::2] == ["Attempt 1", "Attempt 2"]
    assert "second attempt" in words(by_id(page, "log"))
    bars = [one.get("data-y") for one in by_id(page, "times").iter("rect") if one.get("data-y")]
    assert bars == ["waiting", "running", "fetch", "ingest"]
    [table] = by_id(page, "times-table").iter("table")
    assert "1 min" in words(table)


def test_a_long_result_is_cut_and_says_so(web: WebProcess, pool: Pool) -> None:
    """A page of megabytes."""
    job_id = put(pool, "cleanup", "completed", result=Jsonb({"words": "x" * 500_000}))
    page = Visitor(web).see(f"/jobs/{job_id}")
    assert "more characters in the API's answer" in words(by_id(page, "result"))
    assert len(words(page)) < 20_000


def test_hostile_words_come_out_as_text(web: WebProcess, pool: Pool) -> None:
    """A message, an argument or a line of the log that is a script."""
    job_id = put(
        pool, "cleanup", "failed", message=HOSTILE, requested_by=HOSTILE, params=Jsonb({HOSTILE: HOSTILE}),
        error=Jsonb({"kind": HOSTILE, "message": HOSTILE, "where": HOSTILE}),
    )  # fmt: skip
    with pool.connection() as connection:
        connection.execute(
            "insert into job_logs (job_id, token, number, attempt, line) values (%s, 1, 0, 1, %s)", (job_id, HOSTILE)
        )
    visitor = Visitor(web)
    for page in (visitor.see(f"/jobs/{job_id}"), until(visitor, "/jobs?job_type=cleanup", rows)):
        assert HOSTILE in words(by_id(page, "main"))
        assert [one.get("src", "") for one in page.iter("script")] != [""]
        assert not any("alert" in (one.text or "") for one in page.iter("script"))


def test_what_is_no_job_is_a_page_that_says_so(web: WebProcess, pool: Pool) -> None:
    """A stack trace for a wrong address."""
    visitor = Visitor(web)
    assert "There is no job" in words(by_id(visitor.see(f"/jobs/{uuid.UUID(int=5)}", 404), "main"))
    visitor.see("/jobs/nonsense", 422)


def test_an_operator_starts_a_job_with_the_form(web: WebProcess, pool: Pool) -> None:
    """A form that only works with JavaScript; a box that is unticked and sent as ticked."""
    visitor = Visitor(web, MASTER)
    fields = form(visitor.see("/jobs"), "/jobs/start/pipeline")
    assert fields["history_days"] == "30"
    del fields["train_model"]
    page = visitor.send("/jobs/start/pipeline", **(fields | {"history_days": "3"}))
    assert "Full pipeline Pending" in words(page.find(".//h1"))  # type: ignore[arg-type]
    with pool.connection() as connection:
        [job] = jobs.listed(connection, None, None, 5)
    assert job.type == "data_pipeline"
    assert {**job.params, "history_days": 3, "train_model": False, "refresh_token": False} == job.params
    for name, job_type in (("refresh", "quick_data_refresh"), ("forecasts", "prediction_generation"),
                           ("training", "model_training")):  # fmt: skip
        visitor.send(f"/jobs/start/{name}", **form(visitor.see("/jobs"), f"/jobs/start/{name}"))
        with pool.connection() as connection:
            assert jobs.listed(connection, None, job_type, 5)
    assert visitor.send("/jobs/start/nothing", 404, csrf=fields["csrf"]) is not None


def test_one_that_is_live_is_in_the_way(web: WebProcess, pool: Pool) -> None:
    """A 409 as an error page that leads nowhere."""
    visitor = Visitor(web, MASTER)
    fields = form(visitor.see("/jobs"), "/jobs/start/training")
    visitor.send("/jobs/start/training", **fields)
    with pool.connection() as connection:
        [live] = jobs.listed(connection, None, None, 5)
    page = visitor.send("/jobs/start/training", 409, **(fields | {"days_back": "44"}))
    notice = by_id(page, "refused")
    assert "was not started: one is live already" in words(notice)
    assert [a.get("href") for a in notice.iter("a")] == [f"/jobs/{live.id}"]
    assert form(page, "/jobs/start/training")["days_back"] == "44"
    with pool.connection() as connection:
        assert len(jobs.listed(connection, None, None, 5)) == 1


@pytest.mark.parametrize("wrong", ["0", "x", "1e9", "99999999999999999999"])
@pytest.mark.parametrize(("name", "field"), [("training", "days_back"), ("pipeline", "training_days")])
def test_a_wrong_number_is_named(web: WebProcess, pool: Pool, name: str, field: str, wrong: str) -> None:
    """A form that is lost when one field of it is wrong."""
    visitor = Visitor(web, MASTER)
    fields = form(visitor.see("/jobs"), f"/jobs/start/{name}")
    page = visitor.send(f"/jobs/start/{name}", 422, **(fields | {field: wrong}))
    assert field in words(by_id(page, "refused"))
    assert form(page, f"/jobs/start/{name}")[field] == wrong
    with pool.connection() as connection:
        assert jobs.listed(connection, None, None, 5) == []


def test_cancelling_and_running_again_ask_first(web: WebProcess, pool: Pool) -> None:
    """A job that is gone with one touch."""
    job_id = put(pool, "cleanup", "pending")
    visitor = Visitor(web, MASTER)
    shown = visitor.see(f"/jobs/{job_id}")
    [control] = by_id(shown, "actions").iter("form")
    assert (control.get("method"), control.get("action")) == ("get", f"/jobs/{job_id}/cancel")
    asked = visitor.see(f"/jobs/{job_id}/cancel")
    assert status_of(pool, job_id) == "pending"
    page = visitor.send(f"/jobs/{job_id}/cancel", **form(asked, f"/jobs/{job_id}/cancel"))
    assert status_of(pool, job_id) == "cancelled"
    [control] = by_id(page, "actions").iter("form")
    assert control.get("action") == f"/jobs/{job_id}/retry"
    asked = visitor.see(f"/jobs/{job_id}/retry")
    assert status_of(pool, job_id) == "cancelled"
    visitor.send(f"/jobs/{job_id}/retry", **form(asked, f"/jobs/{job_id}/retry"))
    assert status_of(pool, job_id) == "pending"


def test_what_has_ended_meanwhile_is_said(web: WebProcess, pool: Pool) -> None:
    """A question that is answered too late."""
    visitor = Visitor(web, MASTER)
    job_id = put(pool, "cleanup", "completed")
    fields = {"csrf": form(visitor.see("/jobs"), "/jobs/start/refresh")["csrf"]}
    page = visitor.send(f"/jobs/{job_id}/cancel", 409, **fields)
    assert "has ended already" in words(by_id(page, "main"))
    assert list(by_id(page, "main").iter("form")) == []
    assert [a.get("href") for a in by_id(page, "main").iter("a")] == [f"/jobs/{job_id}"]


def test_the_token_of_the_session_is_in_no_address(web: WebProcess, pool: Pool) -> None:
    """A secret that is left in the history of the browser."""
    job_id = put(pool, "cleanup", "pending")
    page = Visitor(web, MASTER).see(f"/jobs/{job_id}")
    for one in page.iter("form"):
        if one.get("method") == "get":
            assert all("disabled" in i.attrib for i in one.iter("input") if i.get("name") == "csrf")


def test_viewers_see_no_control(web: WebProcess, pool: Pool) -> None:
    """A button that answers with no."""
    job_id = put(pool, "cleanup", "pending")
    read, _ = make_key(pool, Scope.READ)
    for visitor in (Visitor(web), Visitor(web, read)):
        for path in ("/jobs", f"/jobs/{job_id}"):
            page = visitor.see(path)
            actions = {one.get("action", "") for one in page.iter("form")}
            assert not any("start" in one or "cancel" in one or "retry" in one for one in actions)
    assert "scope operate may" in words(by_id(Visitor(web, read).see("/jobs"), "main"))
