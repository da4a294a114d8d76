"""A viewer reaches no operator's action: by no form, link or request; of all routes."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.test_data import league
from tests.dashboard.test_health import alert
from tests.dashboard.test_jobs import put
from tests.jobs import eventually
from tests.pages import Visitor, parse
from tests.web import MASTER, WebProcess, make_key, rows
from tipoff.api.access import Scope
from tipoff.pipeline.state import Live
from tipoff.storage.pool import Pool
from tipoff.web.routing import Page
from tipoff.web.site import PAGES

__all__ = ["league"]
EVERYBODYS = {"/sign-in", "/sign-out", "/preferences"}
"""forms that need no key"""
ACTIONS = [page for page in PAGES if page.method == "POST" and page.path not in EVERYBODYS]
CLOSED = [page for page in PAGES if page.scope not in (None, Scope.READ)]
OPEN = [page for page in PAGES if page.method == "GET" and page not in CLOSED]
CONTROLLED = ("/jobs", "/jobs/{job_id}", "/models/{version}", "/health")
"""pages on which operators find something to do"""
UNTOUCHED = (
    "job_queue", "api_keys", "model_registry", "job_schedules", "webhooks",
    "(select id, acknowledged_at, acknowledged_by from alerts where acknowledged_at is not null)",
)  # fmt: skip


def address(page: Page) -> str:
    """An address of that route."""
    return re.sub(r"\{[^}]*\}", lambda found: str(uuid.UUID(int=1)) if "_id" in found[0] else "1", page.path)


def state(pool: Pool) -> list[list[tuple[object, ...]]]:
    """What an action could change."""
    found = "to_jsonb(t) - 'last_used_at'"
    return [rows(pool, f"select {found} from {table} t order by ({found})::text") for table in UNTOUCHED]


def names(page: Page) -> str:
    """How a test is called."""
    return f"{page.method} {page.path}"


def test_every_action_needs_a_key() -> None:
    """A route that somebody forgot to close."""
    for page in PAGES:
        if page.method == "POST" and page.path not in EVERYBODYS:
            assert page.scope in (Scope.OPERATE, Scope.ADMIN), page.path
    assert len(ACTIONS) >= 4


@pytest.mark.parametrize("page", CLOSED, ids=names)
def test_viewers_and_readers_are_refused(web: WebProcess, pool: Pool, page: Page) -> None:
    """Guessing the address of a form."""
    read, operate = (make_key(pool, scope)[0] for scope in (Scope.READ, Scope.OPERATE))
    before = state(pool)
    for visitor, status in ((Visitor(web), 401), (Visitor(web, read), 403)):
        answer = visitor.http.request(page.method, address(page), headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == status, answer.text[-500:]
        assert "Sign in" in answer.text or "scope" in answer.text
    if page.scope is Scope.ADMIN:
        assert Visitor(web, operate).http.request(page.method, address(page)).status_code == 403
    assert state(pool) == before


@pytest.mark.parametrize("page", ACTIONS, ids=names)
def test_other_sites_cannot_use_an_operators_browser(web: WebProcess, pool: Pool, page: Page) -> None:
    """A page elsewhere that sends the form with the operator's cookie, or without the session's token."""
    visitor = Visitor(web, MASTER)
    before = state(pool)
    for headers in ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, {"Origin": "null"}, {}):
        answer = visitor.http.post(address(page), data={"csrf": "0" * 32}, headers=headers, follow_redirects=False)
        assert answer.status_code == 403, (headers, answer.status_code)
    assert state(pool) == before


@pytest.fixture
def there(pool: Pool, league: tuple[Live, dict[str, Any]]) -> dict[str, str]:
    """What there is to look at, by the parameter of a path; each has something that operators may do with it."""
    with pool.connection() as connection:
        connection.execute("delete from alerts where rule = 'trial'")
    alert(pool, "trial", "open")
    return {
        "{external_id:name}": "SOON", "{handle:name}": league[1]["a"], "{team:name}": "Harbor Herons",
        "{version}": "1", "{job_id}": put(pool, "cleanup", "pending"),
    }  # fmt: skip


@pytest.mark.parametrize("page", OPEN, ids=names)
def test_pages_offer_viewers_no_control_they_cannot_use(web: WebProcess, there: dict[str, str], page: Page) -> None:
    """A button that answers with 'no'."""
    shut = [re.compile(re.sub(r"\{[^}]*\}", "[^/]+", one.path)) for one in CLOSED]
    where = re.sub(r"\{[^}]*\}", lambda found: quote(there[found[0]]), page.path)
    if page.path == "/models/compare":
        where += "?v1=1&v2=2"
    if page.path in CONTROLLED:
        operator = Visitor(web, MASTER)
        eventually(lambda: reachable(parse(operator.http.get(where).text), shut), f"controls on {where}", 5.0)
    visitor = Visitor(web)
    assert reachable(visitor.see(where), shut) == []


def reachable(page: ET.Element, shut: list[re.Pattern[str]]) -> list[str]:
    """What of the closed addresses the page leads to."""
    return [target for target in targets(page) if any(one.fullmatch(target) for one in shut)]


def targets(page: ET.Element) -> list[str]:
    """Where links and forms of a page lead to."""
    found = [one.get("href", "") for one in page.iter("a")] + [one.get("action", "") for one in page.iter("form")]
    return [target.partition("?")[0].partition("#")[0] for target in found]
