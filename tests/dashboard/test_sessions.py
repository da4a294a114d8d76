"""Signing in: what the cookie is, what it opens, and that nobody else's page can use it."""

from __future__ import annotations

import httpx
import pytest

from tests.pages import Visitor, by_id, form, words
from tests.web import MASTER, WebProcess, make_key
from tipoff.api.access import Scope
from tipoff.api.sessions import COOKIE, Sessions
from tipoff.settings import Settings
from tipoff.storage import keys
from tipoff.storage.pool import Pool

ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
]  # fmt: skip


def test_the_cookie_names_the_key_and_is_no_key(web: WebProcess, pool: Pool) -> None:
    """A cookie that holds the key itself, that scripts may read, or that other sites' requests carry."""
    key, _ = make_key(pool, Scope.OPERATE)
    visitor = Visitor(web)
    answer = visitor.http.post("/sign-in", data={"key": key, "back": "/about"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/about")
    said = answer.headers["set-cookie"]
    assert said.startswith(f"{COOKIE}=")
    assert "HttpOnly" in said
    assert "samesite=strict" in said.lower()
    assert key not in said
    assert "test operate" in words(visitor.see("/sign-in"))


def test_a_wrong_key_is_said_to_be_wrong_and_counted(web: WebProcess, folder: object, pool: Pool) -> None:
    """Guessing keys through the form, as often as one likes."""
    page = Visitor(web).send("/sign-in", 401, key="tipoff_wrong")
    assert "unknown, revoked or has expired" in words(page)
    assert COOKIE not in Visitor(web).http.cookies


def test_guessing_ends(shared_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The limit of wrong keys holds for the form as it does for headers."""
    one = WebProcess(shared_dsn, tmp_path_factory.mktemp("guess"), TIPOFF_FAILURES_A_MINUTE="3")
    try:
        visitor = Visitor(one)
        for _ in range(3):
            visitor.send("/sign-in", 401, key="tipoff_wrong")
        assert "more than 3 requests" in words(visitor.send("/sign-in", 429, key="tipoff_wrong"))
        assert one.get("/api/jobs", key="tipoff_wrong").status_code == 429
    finally:
        one.stop()


def test_a_session_ends_with_its_key(web: WebProcess, pool: Pool) -> None:
    """A revoked key whose session goes on for hours."""
    key, key_id = make_key(pool, Scope.OPERATE)
    visitor = Visitor(web, key)
    assert "Sign out" in words(visitor.see("/sign-in"))
    assert web.request("DELETE", f"/api/keys/{key_id}", MASTER).status_code == 200
    page = visitor.see("/sign-in")
    for _ in range(100):  # every process knows within a second
        page = visitor.see("/sign-in")
        if "Sign out" not in words(page):
            break
    assert "Sign out" not in words(page)


def test_signing_out_forgets(web: WebProcess, pool: Pool) -> None:
    """A button that only looks like it."""
    visitor = Visitor(web, MASTER)
    fields = form(visitor.see("/sign-in"), "/sign-out")
    visitor.http.post("/sign-out", data=fields, follow_redirects=False)
    assert COOKIE not in visitor.http.cookies
    assert "Sign in" in words(visitor.see("/about"))


@pytest.mark.parametrize("spoilt", ["x", "WyJvcGVyYXRvciIsICJ4Il0.aaaa.bbbb", "", '"', "a.b.c" * 500])
def test_a_forged_cookie_is_nobody(web: WebProcess, spoilt: str) -> None:
    """A cookie that was made up opens something, or breaks the page."""
    answer = web.get("/sign-in", headers={"Cookie": f"{COOKIE}={spoilt}"})
    assert answer.status_code == 200
    assert "Sign out" not in answer.text


def test_a_cookie_of_another_installation_is_nobody(web: WebProcess, folder: object) -> None:
    """Secrets that are alike everywhere."""
    theirs = Sessions(Settings(OPERATOR_API_KEY="another-key-of-others")).made("operator")  # type: ignore[call-arg]
    ours = Sessions(Settings(OPERATOR_API_KEY=MASTER, DATABASE_URL="postgresql://x")).made("operator")  # type: ignore[call-arg]
    for value, there in ((theirs, False), (ours, True)):
        answer = web.get("/sign-in", headers={"Cookie": f"{COOKIE}={value}"})
        assert ("Sign out" in answer.text) is there


def test_a_cookie_reads_the_api_and_writes_nothing(web: WebProcess, pool: Pool) -> None:
    """A page of another site that makes the browser start jobs."""
    visitor = Visitor(web, MASTER)
    assert visitor.http.get("/api/keys").status_code == 200
    for method, path in (("POST", "/api/run-pipeline"), ("DELETE", "/api/jobs/cleanup"), ("POST", "/api/keys")):
        answer = visitor.http.request(method, path)
        assert answer.status_code == 401, (method, path, answer.text)


@pytest.mark.parametrize("headers", ELSEWHERE)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/preferences"])
def test_forms_of_other_sites_are_refused(web: WebProcess, path: str, headers: dict[str, str]) -> None:
    """Cross-site POSTs."""
    visitor = Visitor(web, MASTER)
    answer = visitor.http.post(path, data={"key": MASTER, "theme": "dark"}, headers=headers, follow_redirects=False)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "sent by another site" in answer.text


def test_a_form_without_its_sessions_token_is_refused(web: WebProcess) -> None:
    """A form that was made before somebody else signed in, or never."""
    visitor = Visitor(web, MASTER)
    for token in ({}, {"csrf": ""}, {"csrf": "0" * 32}, {"csrf": "ü"}):
        answer = visitor.http.post("/sign-out", data=token)
        assert answer.status_code == 403, token
        assert "earlier session" in answer.text


def test_nobody_is_sent_to_another_site(web: WebProcess) -> None:
    """An open redirect after signing in or choosing a theme."""
    for back in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
    ):
        for path, fields in (("/sign-in", {"key": MASTER}), ("/preferences", {"theme": "dark"})):
            answer = httpx.post(f"{web.url}{path}", data={**fields, "back": back}, trust_env=False)
            assert (answer.status_code, answer.headers["location"]) == (303, "/"), (path, back)


def test_preferences_are_rendered_by_the_server(web: WebProcess) -> None:
    """A theme that flickers, odds that forget their format, times in a zone nobody chose."""
    visitor = Visitor(web)
    assert visitor.see("/about").find("html").get("data-theme") == "auto"  # type: ignore[union-attr]
    page = visitor.send("/preferences", theme="dark", odds="american", zone="Europe/Rome", back="/about")
    assert page.find("html").get("data-theme") == "dark"  # type: ignore[union-attr]
    assert page.find(".//body").get("data-zone") == "Europe/Rome"  # type: ignore[union-attr]
    assert form(page, "/preferences", "zone")["odds"] == "american"
    refused = visitor.send("/preferences", 422, zone="Middle/Earth")
    assert "there is no zone" in words(by_id(refused, "main"))


def test_reading_needs_a_key_where_the_operator_says_so(
    shared_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pages that show what the API would not; a session that does not open them."""
    one = WebProcess(shared_dsn, tmp_path_factory.mktemp("closed"), TIPOFF_OPEN_READS="false")
    try:
        page = Visitor(one).see("/", 401)
        assert "Sign in" in words(by_id(page, "main"))
        visitor = Visitor(one, MASTER)
        visitor.see("/")
        assert visitor.http.get("/api/jobs").status_code == 200
        assert Visitor(one).http.get("/api/jobs").status_code == 401
    finally:
        one.stop()


def test_keys_stay_usable_by_hash_and_by_id(pool: Pool) -> None:
    """A session that goes on after its key expired."""
    with pool.connection() as connection:
        made = keys.add(connection, "one", "read", "f" * 64, "tipoff_x", None)
        assert keys.usable_by_id(connection, made.id) == made
        connection.execute("update api_keys set expires_at = now() - interval '1 s' where id = %s", (made.id,))
        assert keys.usable_by_id(connection, made.id) is None
