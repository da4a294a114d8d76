"""How pages are answered: asked again they are not sent again, and cookies of others do no harm."""

from __future__ import annotations

import pytest

from tests.pages import Visitor
from tests.web import MASTER, WebProcess
from tipoff.api.sessions import COOKIE


@pytest.mark.parametrize("path", ["/about", "/", "/record", "/sign-in"])
def test_a_page_that_did_not_change_is_not_sent_again(web: WebProcess, path: str) -> None:
    """Something of each request in the page (its id), so that no ETag is ever met again."""
    visitor = Visitor(web)
    for _ in range(3):  # words such as "2 min ago" may change between two looks
        first = visitor.http.get(path)
        again = visitor.http.get(path, headers={"If-None-Match": first.headers["etag"]})
        if again.status_code == 304:
            break
    assert (again.status_code, again.content) == (304, b"")
    assert visitor.http.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("other", ['settings={"a": 1}', "two words=x", "path=/x", "name=Zo\xeb"])
def test_cookies_of_others_sign_nobody_out(web: WebProcess, other: str) -> None:
    """A cookie of something else on that host (localhost has many) that is not to the letter of the standard."""
    visitor = Visitor(web, MASTER)
    session = visitor.http.cookies[COOKIE]
    visitor.http.cookies.clear()
    header = f"{other}; {COOKIE}={session}".encode("latin-1")
    text = visitor.http.get("/sign-in", headers=[(b"Cookie", header)]).text
    assert "Signed in" in text


def test_an_origin_that_is_no_address_is_refused(web: WebProcess) -> None:
    """A page of an error of ours for a header of theirs."""
    visitor = Visitor(web)
    answer = visitor.http.post("/preferences", data={"theme": "dark"}, headers={"Origin": "http://["})
    assert answer.status_code == 403, answer.text[-300:]


def test_what_needs_a_key_is_kept_by_no_proxy(shared_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`public`: the answer to whoever has a key, served to everybody by a proxy in between."""
    one = WebProcess(shared_dsn, tmp_path_factory.mktemp("closed"), TIPOFF_OPEN_READS="false")
    try:
        for path in ("/api/matches", "/api/teams", "/api/record/forecasts"):
            control = one.get(path, key=MASTER).headers["cache-control"]
            assert "public" not in control, path
            assert "private" in control, path
    finally:
        one.stop()
