"""What runs by itself, as a page."""

from __future__ import annotations

from tests.dashboard.test_jobs import HOSTILE
from tests.jobs import eventually
from tests.pages import Visitor, by_id, words
from tests.web import WebProcess, rows
from tipoff.jobs import schedule
from tipoff.jobs.types import BUILT_IN
from tipoff.storage.pool import Pool


def test_before_a_worker_ever_ran(web: WebProcess, pool: Pool) -> None:
    """An empty table without a word."""
    rows(pool, "delete from job_schedules returning 1")
    assert "A worker that starts" in words(by_id(Visitor(web).see("/schedules"), "schedules"))
    assert web.get("/api/schedules").json()["items"] == []


def test_each_schedule_says_what_it_does_when_and_what_came_of_it(web: WebProcess, pool: Pool) -> None:
    """A task that nobody can explain, one that is switched off in silence, markup out of a job's message."""
    with pool.connection() as connection:
        schedule.install(connection)
        connection.execute(
            "with j as (insert into job_queue (type, status, progress, rank, attempt, started_at, finished_at, "
            "result, message) values ('cleanup', 'completed', 100, 1, 1, now(), now(), '{}', %s) returning id) "
            "update job_schedules set last_job = j.id, last_at = now(), last_outcome = 'enqueued' from j "
            "where name = 'weekly cleanup'", (HOSTILE,),
        )  # fmt: skip
        connection.execute(
            "update job_schedules set enabled = false, last_outcome = 'switched off: nonsense', cron = 'often' "
            "where name = 'refresh'"
        )
        connection.execute("update job_schedules set type = 'of_a_later_version' where name = 'outbox'")
    [(job_id,)] = rows(pool, "select last_job from job_schedules where name = 'weekly cleanup'")
    kept = eventually(lambda: web.get("/api/schedules").json()["items"], "an answer that is not of before")
    listed = {row["name"]: row for row in kept}
    assert set(listed) == {name for name, *_ in schedule.DEFAULTS}
    assert listed["weekly cleanup"]["last_job"]["job_id"] == str(job_id)
    assert listed["quarterly care"]["when"] == "At 02:00 on the first day of January, April, July, and October"
    assert (listed["refresh"]["next_at"], listed["refresh"]["when"][:5]) == (None, "Never")
    page = Visitor(web).see("/schedules")
    table = [words(row) for row in by_id(page, "schedules").iter("li")]
    abouts = {job_type.name: job_type.about for job_type in BUILT_IN}
    for name, row in listed.items():
        [said] = [text for text in table if text.startswith(name[:1].upper() + name[1:])]
        assert (abouts.get(row["job_type"]) or "Nothing is known of this type here") in said
        assert row["when"] in said
        assert row["cron"] in said
    assert table[-1].startswith("Refresh")
    assert "Off" in table[-1]
    assert "switched off: nonsense" in table[-1]
    assert "With require_model=false, return_predictions=false." in words(by_id(page, "schedules"))
    assert HOSTILE in words(by_id(page, "schedules"))
    links = {a.get("href") for a in by_id(page, "schedules").iter("a")}
    assert {f"/jobs/{job_id}", "/jobs?job_type=cleanup"} <= links
    assert "/schedules" in {a.get("href") for a in Visitor(web).see("/jobs").iter("a")}
