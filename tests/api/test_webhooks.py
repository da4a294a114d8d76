"""Webhooks and deliveries over HTTP."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator

import pytest

from tests.delivery import minutes, notice
from tests.web import MASTER, WebProcess, make_key, rows
from tipoff.api.access import Scope
from tipoff.delivery.announce import announce
from tipoff.storage import outbox
from tipoff.storage.outbox import Tried
from tipoff.storage.pool import Pool

URL = "https://hooks.example.com/token-in-path?key=token-in-query"


@pytest.fixture(autouse=True)
def _empty(pool: Pool) -> Iterator[None]:
    """No webhook and no message from the test before."""
    yield
    rows(pool, "with a as (delete from webhooks), b as (delete from outbox) select 1")


def test_a_webhook_is_made_listed_and_removed(web: WebProcess, pool: Pool) -> None:
    """A secret that is shown again, or a token in an address that is shown at all."""
    made = web.post("/api/webhooks", json={"name": "on-call", "url": URL})
    assert (made.status_code, made.headers["location"]) == (201, "/api/webhooks")
    assert made.json()["secret"].startswith("whsec_")
    [(secret, url)] = rows(pool, "select secret, url from webhooks")
    assert (secret, url) == (made.json()["secret"], URL)
    listed = web.get("/api/webhooks", MASTER)
    [row] = listed.json()["items"]
    assert row == {**{k: v for k, v in made.json().items() if k != "secret"}}
    assert (row["name"], row["address"], row["enabled"]) == ("on-call", "https://hooks.example.com/...", True)
    assert "token" not in made.text + listed.text
    assert secret not in listed.text
    assert "no-store" in listed.headers["cache-control"]
    removed = web.request("DELETE", f"/api/webhooks/{row['id']}", MASTER)
    assert (removed.status_code, removed.json()) == (200, row)
    assert web.get("/api/webhooks", MASTER).json() == {"items": []}
    assert web.request("DELETE", f"/api/webhooks/{row['id']}", MASTER).status_code == 404


def test_a_repeated_request_makes_one_webhook_and_keeps_no_secret(web: WebProcess, pool: Pool) -> None:
    """A secret in the table of repeated answers."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    answers = [web.post("/api/webhooks", json={"name": "a", "url": URL}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].json() == {**answers[0].json(), "secret": None}
    assert answers[0].json()["secret"] not in str(
        rows(pool, "select convert_from(body, 'utf8') from idempotency_keys")
    )


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"name": "a", "url": "http://hooks.example.com/"}, 422, "/url"),
        ({"name": "a", "url": "https://127.0.0.1/token-in-path"}, 422, "/url"),
        ({"name": "a", "url": "https://good@127.0.0.1/"}, 422, "/url"),
        ({"name": "a", "url": "https://localhost/"}, 422, "/url"),
        ({"name": "", "url": URL}, 422, "/name"),
        ({"name": "a\n", "url": URL}, 422, "/name"),
        ({"name": "a", "url": URL, "secret": "short"}, 422, "/secret"),
        ({"name": "taken", "url": URL}, 409, None),
    ],
)
def test_what_cannot_be_is_refused(
    web: WebProcess, pool: Pool, body: dict[str, str], status: int, where: str | None
) -> None:
    """A webhook that can never be told; an answer that repeats what may be secret."""
    web.post("/api/webhooks", json={"name": "taken", "url": URL}).raise_for_status()
    answer = web.post("/api/webhooks", json=body)
    assert answer.status_code == status, answer.text
    assert where is None or answer.json()["errors"][0]["where"] == where
    assert "token-in-path" not in answer.text
    assert len(rows(pool, "select 1 from webhooks")) == 1


def test_only_administrators_see_webhooks(web: WebProcess, pool: Pool) -> None:
    """Somebody who may start jobs and sends the alerts elsewhere."""
    operate, _ = make_key(pool, Scope.OPERATE)
    read, _ = make_key(pool, Scope.READ)
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{uuid.uuid4()}")):
        assert web.request(method, f"/api/webhooks{path}", operate).status_code == 403
        assert web.request(method, f"/api/webhooks{path}").status_code == 401
    assert web.get("/api/webhooks/deliveries", operate).status_code == 200
    assert web.get("/api/webhooks/deliveries", read).status_code == 403


def test_deliveries_are_listed_in_pages(web: WebProcess, pool: Pool) -> None:
    """A try that is not shown, or shown twice; one that does not say what became of its message."""
    with pool.connection() as connection:
        announce(connection, ["tgram-1a2b3c"], notice(), now=minutes(0))
        for minute, error in ((0, "HTTP 500"), (1, "nobody there"), (2, ""), (5, "")):
            message = outbox.take(connection, now=minutes(minute))
            if message is not None:
                outbox.note(connection, message, Tried(error, 200 if not error else None, 12.5), now=minutes(minute))
        announce(connection, ["json-ffffff"], notice(2), now=minutes(6))
        lost = outbox.take(connection, now=minutes(6))
        assert lost is not None
        outbox.note(connection, lost, Tried("HTTP 410", 410, final=True), now=minutes(6))
    seen, path = [], "/api/webhooks/deliveries?limit=2"
    while path:
        answer = web.get(path, MASTER)
        seen += answer.json()["items"]
        path = answer.links["next"]["url"] if answer.json()["next_cursor"] else ""
    assert [(one["channel"], one["attempt"], one["ok"], one["state"]) for one in seen] == [
        ("json-ffffff", 1, False, "given_up"), ("tgram-1a2b3c", 3, True, "delivered"),
        ("tgram-1a2b3c", 2, False, "delivered"), ("tgram-1a2b3c", 1, False, "delivered"),
    ]  # fmt: skip
    assert (seen[0]["event"], seen[0]["rule"], seen[0]["error"]) == ("opened", "no_workers", "HTTP 410")
    table = web.get("/api/webhooks/deliveries?format=csv", MASTER)
    assert [row["id"] for row in csv.DictReader(io.StringIO(table.text))] == [str(one["id"]) for one in seen]
