"""Health as a page: each check with what to do, the last hours, alerts, and all of it without the database."""

from __future__ import annotations

from pathlib import Path

from tests.api.test_outage import private
from tests.dashboard.test_jobs import HOSTILE, until
from tests.jobs import eventually
from tests.pages import Visitor, by_id, form, words
from tests.web import MASTER, WebProcess
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.pool import Pool
from tipoff.web.pages.health import called

__all__ = ["private"]


def alert(pool: Pool, rule: str, state: str, message: str = "it is broken", subject: str = "") -> int:
    """Something that is or was wrong."""
    with pool.connection() as connection:
        [(made,)] = connection.execute(
            "insert into alerts (rule, subject, severity, state, message, remedy, since, opened_at, seen_at, "
            "resolved_at) values (%(rule)s, %(subject)s, 'error', %(state)s, %(message)s, 'mend it', "
            "now() - interval '2 h', now() - interval '1 h', now(), "
            "case when %(state)s = 'resolved' then now() end) returning id",
            {"rule": rule, "state": state, "message": message, "subject": subject},
        ).fetchall()
    return int(made)


def state(pool: Pool, number: int) -> str:
    """How the alert is in the database."""
    with pool.connection() as connection:
        [(found,)] = connection.execute("select state from alerts where id = %s", (number,)).fetchall()
    return str(found)


def test_each_check_says_how_it_is_what_to_do_and_since_when(web: WebProcess, pool: Pool) -> None:
    """A light without a reason; the worst below what is well."""
    found = []

    def same_look() -> bool:
        found[:] = [web.get("/api/system/health").json(), Visitor(web).see("/health")]
        return by_id(found[1], "overall").find(".//time").get("datetime") == found[0]["checked_at"]

    eventually(same_look, "a report and a page of the same look")
    report, page = found
    assert report["overall_status"].capitalize() in words(by_id(page, "overall"))
    checks = list(by_id(page, "checks").iter("article"))
    assert len(checks) == len(report["checks"])
    for name, check in report["checks"].items():
        said = words(by_id(page, f"check-{name}"))
        assert called(name) in said
        assert check["status"].capitalize() in said
        assert check["message"][1:] in said
        assert check["remedy"] is None or check["remedy"] in said
        since = [one.get("datetime") for one in by_id(page, f"check-{name}").findall(".//time[@data-ago]")]
        assert check["since"] in since
        shown = list(by_id(page, f"figures-{name}").iter("dt"))
        assert len(shown) == len(check["metrics"])
    ranks = [("error", "warning", "healthy").index(one.get("class", "").split()[-1]) for one in checks]
    assert ranks == sorted(ranks)


def test_the_history_is_drawn_as_it_was(web: WebProcess, pool: Pool) -> None:
    """A strip of green where something was wrong; hours that nobody asked for."""
    with pool.connection() as connection:
        connection.execute("delete from system_health")
        connection.execute(
            "insert into system_health (checked_at, overall_status, duration_ms, checker, statuses, metrics, report) "
            "select clock_timestamp() - make_interval(mins => m), s, 1, 'test', jsonb_build_object('database', s), "
            "'{}', '{}' from (values (40, 'healthy'), (30, 'error'), (20, 'healthy')) as v(m, s)"
        )
    visitor = Visitor(web)
    page = until(visitor, "/health?hours=6", lambda page: "2 of 3 looks" in words(by_id(page, "history")))
    [row] = [one for one in by_id(page, "history").iter("g") if one.get("data-y") == called("database")]
    assert [one.get("data-y") for one in row.iter("rect") if one.get("data-y")] == ["ok", "error", "ok"]
    assert len(list(by_id(page, "history-table").iter("tr"))) == 4
    [chosen] = [a for a in by_id(page, "past").iter("a") if a.get("aria-current")]
    assert chosen.get("href") == "/health?hours=6#past"
    [chosen] = [a for a in by_id(visitor.see("/health?hours=5"), "past").iter("a") if a.get("aria-current")]
    assert words(chosen) == "24 h"


def test_an_operator_takes_care_of_an_alert(web: WebProcess, pool: Pool) -> None:
    """A reminder that nobody can end; a control for everybody."""
    number, other = (
        alert(pool, "a_test", "open", HOSTILE),
        alert(pool, "another_test", "resolved", "the disk was full"),
    )
    visitor = Visitor(web, MASTER)
    page = until(visitor, "/health", lambda page: HOSTILE in words(by_id(page, "alerts")))
    assert "The disk was full" in words(by_id(page, f"alert-{other}"))
    path = f"/alerts/{number}/acknowledge"
    assert [one.get("action") for one in by_id(page, "alerts").iter("form")] == [path]
    assert list(by_id(Visitor(web).see("/health"), "main").iter("form")) == []
    asked = visitor.see(path)
    assert HOSTILE in words(by_id(asked, "main"))
    assert state(pool, number) == "open"
    page = visitor.send(path, **form(asked, path))
    assert state(pool, number) == "acknowledged"
    assert "Taken care of" in words(by_id(page, f"alert-{number}"))
    again = visitor.send(f"/alerts/{other}/acknowledge", 409, csrf=form(page, "/health/look")["csrf"])
    assert "is resolved" in words(by_id(again, "main"))
    visitor.see("/alerts/999999/acknowledge", 404)


def test_an_operator_looks_now(web: WebProcess, pool: Pool) -> None:
    """A look that shows the one before."""
    visitor = Visitor(web, MASTER)
    before = web.get("/api/system/health").json()["checked_at"]

    def looked() -> bool:
        page = visitor.see("/health")
        page = visitor.send("/health/look", **form(page, "/health/look"))
        [at] = [one.get("datetime", "") for one in by_id(page, "overall").iter("time")]
        return at > before

    eventually(looked, "a newer look", 10.0)


def test_without_the_database_the_page_says_what_is_wrong(private: PrivatePostgres, tmp_path: Path) -> None:
    """The page that should say what is wrong is itself what is broken."""
    web = WebProcess(private.application_dsn, tmp_path, TIPOFF_HEALTH_EVERY="0.5")
    try:
        visitor = Visitor(web)
        private.stop()
        web.until_database("away")

        def told() -> bool:
            return "Error" in words(by_id(visitor.see("/health"), "check-database"))

        eventually(told, "the database's check to say so", 30.0)
        page = visitor.see("/health")
        assert "cannot be told now" in words(by_id(page, "history"))
        assert "cannot be told now" in words(by_id(page, "alerts"))
        assert "Error" in words(by_id(page, "overall"))
    finally:
        web.stop()
