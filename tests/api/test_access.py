"""Who may do what: every route, every scope; revoked and expired keys; limits; one answer an Idempotency-Key."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.jobs import eventually
from tests.web import MASTER, WebProcess, make_key, rows
from tipoff.api.access import Scope
from tipoff.storage.pool import Pool

OPENAPI = "/api/openapi.json"
FREE = {("get", "/api/health")}


def operations(web: WebProcess) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path with ids filled in, its description) of every operation."""
    for path, methods in web.get(OPENAPI).json()["paths"].items():
        for method, operation in methods.items():
            filled = path
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    value = str(uuid.uuid4()) if parameter["schema"].get("format") == "uuid" else "1"
                    filled = filled.replace("{" + parameter["name"] + "}", value)
            yield method, filled, operation


def test_every_route_keeps_to_its_scope(web: WebProcess, pool: Pool) -> None:
    """A route that forgot its check: writing without a key, or administration with the key of an operator."""
    keys = {scope: make_key(pool, scope)[0] for scope in Scope}
    tried = 0

    def status(method: str, path: str, key: str | None) -> int:
        """Of an answer that may have no end."""
        headers = {"X-API-Key": key} if key else {}
        with web.http.stream(method.upper(), path, headers=headers) as answer:
            return answer.status_code

    for method, path, operation in operations(web):
        needed = operation.get("x-scope")
        if needed is None:
            assert (method, path) in FREE
            continue
        assert method == "get" or needed != "read" or path == "/api/ml/what-if"
        assert (status(method, path, None) == 401) == (needed != "read"), (method, path)
        for scope, key in keys.items():
            told = status(method, path, key)
            assert (told == 403) == (not scope.includes(Scope(needed))), (method, path, scope)
            assert told != 401
            tried += 1
    assert tried >= 3 * 14


def test_what_a_request_without_a_key_is_told(web: WebProcess) -> None:
    """A 401 that does not say how to get in."""
    answer = web.post("/api/run-pipeline", key=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "tipoff keys create" in answer.json()["detail"]
    for header in ({"Authorization": "Basic abc"}, {"Authorization": "Bearer"}, {"X-API-Key": "wrong"}):
        assert web.post("/api/run-pipeline", key=None, headers=header).status_code == 401
    assert "wrong" not in web.post("/api/run-pipeline", key=None, headers={"X-API-Key": "wrong"}).text


def test_a_revoked_key_is_refused_within_a_second_on_every_process(
    web: WebProcess, pool: Pool, shared_dsn: str, folder: Path
) -> None:
    """A key that leaked and still works on the other machine."""
    key, key_id = make_key(pool, Scope.OPERATE)
    other = WebProcess(shared_dsn, folder)
    try:
        assert {w.get("/api/jobs", key).status_code for w in (web, other)} == {200}
        assert web.request("DELETE", f"/api/keys/{key_id}", MASTER).json()["revoked_at"] is not None
        eventually(lambda: {w.get("/api/jobs", key).status_code for w in (web, other)} == {401}, "refused", 1.0)
        assert {w.post("/api/run-pipeline", key).status_code for w in (web, other)} == {401}
    finally:
        assert other.stop() == 0
    assert web.request("DELETE", f"/api/keys/{uuid.uuid4()}", MASTER).status_code == 404


def test_an_expired_key_is_refused(web: WebProcess, pool: Pool) -> None:
    """A key for a day that opens for ever."""
    key, _ = make_key(pool, Scope.OPERATE, days=1.2 / 86400)
    assert web.get("/api/jobs", key).status_code == 200
    eventually(lambda: web.get("/api/jobs", key).status_code == 401, "refused", 2.2)


def test_administrators_make_list_and_revoke_keys(web: WebProcess, pool: Pool) -> None:
    """A key that can be read again, or that is stored as it is."""
    answer = web.post("/api/keys", json={"name": "=cmd()", "scope": "read", "days": 2},
                      headers={"Idempotency-Key": "k-1"})  # fmt: skip
    made = answer.json()
    assert answer.status_code == 201
    assert web.get("/api/jobs", made["key"]).status_code == 200
    again = web.post("/api/keys", json={"name": "=cmd()", "scope": "read", "days": 2},
                     headers={"Idempotency-Key": "k-1"})  # fmt: skip
    assert (again.json()["id"], again.json()["key"]) == (made["id"], None)
    [listed] = web.get("/api/keys", MASTER).json()["items"]
    assert listed == {k: v for k, v in made.items() if k not in ("key", "last_used_at")} | {
        "last_used_at": listed["last_used_at"]
    }
    assert "'=cmd()" in web.get("/api/keys?format=csv", MASTER).text
    for table in ("api_keys", "idempotency_keys"):
        assert made["key"] not in str(rows(pool, f"select t::text from {table} t"))
        assert made["key"].encode().hex() not in str(rows(pool, f"select t::text from {table} t"))
    eventually(lambda: web.get("/api/keys", MASTER).json()["items"][0]["last_used_at"], "use is noted", 5.0)


def test_reads_may_need_a_key(shared_dsn: str, pool: Pool, folder: Path) -> None:
    """A setting that closes reading and leaves what is kept open to all."""
    closed = WebProcess(shared_dsn, folder, TIPOFF_OPEN_READS="false")
    try:
        key, _ = make_key(pool, Scope.READ)
        for _ in range(2):
            assert closed.get("/api/jobs").status_code == 401
            assert closed.get("/api/jobs", key).status_code == 200
        assert closed.get("/api/health").status_code == 200
    finally:
        assert closed.stop() == 0


def test_production_without_any_key_says_what_to_set(shared_dsn: str, pool: Pool, folder: Path) -> None:
    """A deployment whose operator cannot find out why nothing can be started."""
    bare = WebProcess(shared_dsn, folder, RENDER="true", OPERATOR_API_KEY="")
    try:
        answer = bare.post("/api/run-pipeline", key=None)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert "OPERATOR_API_KEY" in answer.json()["detail"]
        assert "strict-transport-security" in answer.headers
        assert bare.get("/api/jobs").status_code == 200
        make_key(pool, Scope.OPERATE)
        assert bare.post("/api/run-pipeline", key=None).status_code == 401
    finally:
        assert bare.stop() == 0


def test_limits_are_told_and_kept(shared_dsn: str, pool: Pool, folder: Path) -> None:
    """A client that may ask for ever; one that is stopped because of another; an address that a header invents."""
    limits = {"TIPOFF_READS_A_MINUTE": "5", "TIPOFF_WRITES_A_MINUTE": "2", "TIPOFF_FAILURES_A_MINUTE": "3"}
    strict = WebProcess(shared_dsn, folder, TIPOFF_CLIENT_HEADER="X-Real-Client", **limits)
    try:
        answers = [strict.get("/api/jobs") for _ in range(6)]
        assert [a.status_code for a in answers] == [200] * 5 + [429]
        assert [a.headers["ratelimit-remaining"] for a in answers] == ["4", "3", "2", "1", "0", "0"]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert strict.get("/api/jobs", headers={"X-Forwarded-For": "9.9.9.9"}).status_code == 429
        assert strict.get("/api/jobs", headers={"X-Real-Client": "9.9.9.9"}).status_code == 200
        key, _ = make_key(pool, Scope.OPERATE)
        assert strict.get("/api/jobs", key).status_code == 200
        writes = [strict.post("/api/ml/train", key).status_code for _ in range(3)]
        assert writes == [202, 202, 429]
        wrong = [strict.get("/api/jobs", f"wrong{n}").status_code for n in range(4)]
        assert wrong == [401, 401, 401, 429]
        with pool.connection() as connection:
            connection.execute("lock table api_keys in access exclusive mode")  # whoever asks for a key waits
            assert {strict.get("/api/jobs", f"more{n}").status_code for n in range(20)} == {429}
            assert strict.get("/api/jobs", headers={"Authorization": "Basic x"}).status_code == 429
        assert strict.get("/api/health").status_code == 200
    finally:
        assert strict.stop() == 0


def test_a_forwarded_address_is_not_believed_unless_configured(shared_dsn: str, folder: Path) -> None:
    """Anybody escapes the limits by inventing an address a request."""
    strict = WebProcess(shared_dsn, folder, TIPOFF_READS_A_MINUTE="3")
    try:
        asked = [strict.get("/api/jobs", headers={"X-Forwarded-For": f"9.9.9.{n}"}).status_code for n in range(5)]
        assert asked == [200, 200, 200, 429, 429]
        for told in ("9.9.8.{}:44{}", "[2001:db8::{}]:44{}", "2001:db8:{}::{}"):
            more = [strict.get("/api/jobs", headers={"X-Forwarded-For": told.format(n, n)}) for n in range(3)]
            assert {answer.status_code for answer in more} == {429}
    finally:
        assert strict.stop() == 0


def at_once(web: WebProcess, path: str, count: int, headers: dict[str, str]) -> list[httpx.Response]:
    """So many POSTs, each on a connection of its own, all under way together."""

    async def all_of_them() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=count)
        async with httpx.AsyncClient(
            base_url=web.url, headers={"X-API-Key": MASTER, **headers}, limits=limits, timeout=60.0, trust_env=False
        ) as client:
            return await asyncio.gather(*(client.post(path) for _ in range(count)))

    return asyncio.run(all_of_them())


def test_a_thousand_requests_with_one_idempotency_key_are_one_job(web: WebProcess, pool: Pool) -> None:
    """A client that tries again after a time-out and starts a second job."""
    headers = {"Idempotency-Key": "only-once"}
    answers = at_once(web, "/api/ml/train", 1000, headers)
    assert {a.status_code for a in answers} == {202}
    assert len({a.content for a in answers}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in answers) == 1
    assert len(rows(pool, "select 1 from job_queue")) == 1
    other = web.post("/api/ml/train?days_back=9", headers=headers)
    assert (other.status_code, other.json()["errors"][0]["where"]) == (422, "Idempotency-Key")
    operator, _ = make_key(pool, Scope.OPERATE)
    assert "idempotency-replayed" not in web.post("/api/ml/train", operator, headers=headers).headers


def test_two_hundred_pipelines_at_once_are_one(web: WebProcess, pool: Pool) -> None:
    """Two that both see no other."""
    answers = at_once(web, "/api/run-pipeline", 200, {})
    assert sorted(a.status_code for a in answers) == [202] + [409] * 199
    assert len({a.headers["location"] for a in answers}) == 1
    assert len(rows(pool, "select 1 from job_queue")) == 1


def test_a_request_that_was_refused_may_be_sent_again_with_its_key(web: WebProcess, pool: Pool) -> None:
    """A conflict that is repeated for a day after it is gone."""
    first = web.post("/api/run-pipeline").json()["job_status_url"]
    again = {"Idempotency-Key": "later"}
    assert web.post("/api/run-pipeline", headers=again).status_code == 409
    web.post(f"{first}/cancel")
    assert web.post("/api/run-pipeline", headers=again).status_code == 202
    assert web.post("/api/run-pipeline", headers=again).headers["idempotency-replayed"] == "true"
    elsewhere = {**again, "Accept": "text/csv"}
    assert web.post("/api/run%2Dpipeline", headers=elsewhere).headers["idempotency-replayed"] == "true"
    for wrong in ("x" * 256, "a b", "é".encode()):
        assert web.post("/api/run-pipeline", headers={"Idempotency-Key": wrong}).status_code == 422
    assert web.request("DELETE", "/api/jobs/cleanup", MASTER, headers=again).status_code == 200


def test_a_locked_key_is_no_outage(web: WebProcess, kept_pool: Pool) -> None:
    """A transaction that somebody left open on one key takes the whole API down."""
    key, key_id = make_key(kept_pool, Scope.READ)
    with kept_pool.connection() as connection:
        connection.execute("update api_keys set name = name where id = %s", (key_id,))
        end = time.monotonic() + 5
        while time.monotonic() < end:
            assert web.get("/api/health").json()["status"] == "ok"
            assert web.get(f"/api/jobs?limit={int(end * 100) % 200 + 1}", key).status_code == 200
            time.sleep(0.25)
