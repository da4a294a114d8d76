"""API keys as a page: made and shown once, listed without what would let anybody use them, revoked."""

from __future__ import annotations

import uuid

from tests.dashboard.test_jobs import HOSTILE
from tests.pages import Visitor, by_id, form, parse, words
from tests.web import MASTER, WebProcess, make_key, rows
from tipoff.api.access import Scope
from tipoff.storage.pool import Pool


def test_a_key_is_shown_once_in_the_answer_and_in_no_address(web: WebProcess, pool: Pool) -> None:
    """A key in the history of the browser, in a cache, or on the page of tomorrow."""
    visitor = Visitor(web, MASTER)
    fields = form(visitor.see("/keys"), "/keys") | {"name": HOSTILE, "scope": "operate", "days": "7"}
    answer = visitor.http.post("/keys", data=fields, follow_redirects=False)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert "location" not in answer.headers
    page = parse(answer.text)
    key = words(by_id(page, "secret"))
    assert web.post("/api/data/quick-refresh", key).status_code == 202
    [(name, scope, days)] = rows(
        pool, "select name, scope, round(extract(epoch from expires_at - created_at) / 86400) from api_keys"
    )
    assert (name, scope, int(days)) == (HOSTILE, "operate", 7)
    later = visitor.http.get("/keys")
    assert later.headers["cache-control"] == "no-store"
    assert key not in later.text
    assert HOSTILE in words(by_id(parse(later.text), "list"))
    assert key not in web.log.read_text()


def test_a_key_that_never_expires(web: WebProcess, pool: Pool) -> None:
    """An empty field that means at once."""
    visitor = Visitor(web, MASTER)
    visitor.send("/keys", 201, **(form(visitor.see("/keys"), "/keys") | {"name": "x", "days": " "}))
    assert rows(pool, "select expires_at from api_keys") == [(None,)]


def test_what_is_wrong_is_named_and_what_was_typed_stays(web: WebProcess, pool: Pool) -> None:
    """A form that comes back empty."""
    visitor = Visitor(web, MASTER)
    fields = form(visitor.see("/keys"), "/keys")
    for wrong in ({"name": "ann", "days": "soon"}, {"name": "ann", "days": "0"}, {"name": "ann", "days": "nan"}):
        page = visitor.send("/keys", 422, **(fields | wrong))
        assert "days" in words(by_id(page, "refused")), wrong
        assert form(page, "/keys")["name"] == "ann"
        assert form(page, "/keys")["days"] == wrong["days"]
    assert "name" in words(by_id(visitor.send("/keys", 422, **(fields | {"name": ""})), "refused"))
    assert rows(pool, "select 1 from api_keys") == []


def test_revoking_asks_first(web: WebProcess, pool: Pool) -> None:
    """A key that is gone with one touch, or that is said to be and is not."""
    _, key_id = make_key(pool, Scope.READ)
    visitor = Visitor(web, MASTER)
    path = f"/keys/{key_id}/revoke"
    [control] = by_id(visitor.see("/keys"), f"key-{key_id}").iter("form")
    assert (control.get("method"), control.get("action")) == ("get", path)
    asked = visitor.see(path)
    assert rows(pool, "select revoked_at from api_keys") == [(None,)]
    page = visitor.send(path, **form(asked, path))
    assert rows(pool, "select revoked_at is not null from api_keys") == [(True,)]
    assert "Revoked" in words(by_id(page, f"key-{key_id}"))
    assert list(by_id(page, f"key-{key_id}").iter("form")) == []
    visitor.send(f"/keys/{uuid.UUID(int=3)}/revoke", 404, csrf=form(page, "/keys")["csrf"])


def test_only_administrators_see_keys(web: WebProcess, pool: Pool) -> None:
    """An operator who makes himself an administrator."""
    operate, _ = make_key(pool, Scope.OPERATE)
    visitor = Visitor(web, operate)
    assert "needs the scope admin" in words(by_id(visitor.see("/keys", 403), "main"))
    assert "/keys" not in {a.get("href") for a in visitor.see("/about").iter("a")}
    assert "/keys" in {a.get("href") for a in Visitor(web, MASTER).see("/about").iter("a")}
