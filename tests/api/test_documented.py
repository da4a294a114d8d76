"""What the API says of itself, and what every answer carries."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.jobs import ROOT
from tests.web import MASTER, WebProcess

CONTRACT = {
    "POST /api/run-pipeline", "POST /api/data/quick-refresh", "POST /api/ml/generate-predictions",
    "POST /api/ml/train", "GET /api/jobs", "GET /api/jobs/{job_id}", "POST /api/jobs/{job_id}/cancel",
    "POST /api/jobs/{job_id}/retry", "DELETE /api/jobs/cleanup", "GET /api/system/job-stats", "GET /api/health",
    "GET /api/system/status",
}  # fmt: skip
PAGE = (ROOT / "docs" / "api.md").read_text()


@pytest.fixture
def document(web: WebProcess) -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = web.get("/api/openapi.json").json()
    return found


def test_every_endpoint_is_described(document: dict[str, Any]) -> None:
    """An endpoint without words, an example, its problems, its scope, or a line in the guide."""
    assert document["openapi"].startswith("3.1")
    found, ids = set(), set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            found.add(name)
            ids.add(operation["operationId"])
            assert operation["summary"], name
            assert len(operation["description"]) > 20, name
            assert operation["tags"], name
            assert f"`{name}`" in PAGE, f"{name} is not in docs/api.md"
            good = next(r for s, r in operation["responses"].items() if s.startswith("2"))
            shown = [_example(document, c["schema"]) or c.get("example") for c in good["content"].values()]
            assert any(shown), f"{name} shows no example"
            needs_key = operation.get("x-scope")
            assert needs_key or name == "GET /api/health"
            problems = {s: r for s, r in operation["responses"].items() if s[0] in "45"}
            expected = {"422", "429", "503"} | ({"401", "403"} if needs_key else set())
            assert expected <= set(problems), name
            for response in problems.values():
                assert list(response["content"]) == ["application/problem+json"], name
            for parameter in operation.get("parameters", []):
                assert parameter["in"] == "path" or parameter.get("description"), (name, parameter["name"])
    assert found >= CONTRACT
    assert len(ids) == len(found)


def _example(document: dict[str, Any], schema: dict[str, Any]) -> object:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema.get("examples")


def test_the_document_is_the_one_that_was_agreed(document: dict[str, Any]) -> None:
    """A parameter or a field that clients use and that vanished by accident.

    After a change on purpose: python -m scripts.openapi writes the file anew.
    """
    kept = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert document == kept, "run: python -m scripts.openapi"


def test_every_answer_carries_its_headers(web: WebProcess) -> None:
    """A request that cannot be found in the log; a page that another site frames."""
    for answer in (web.get("/api/jobs"), web.get("/api/nothing"), web.post("/api/jobs"), web.get("/api/health")):
        assert re.fullmatch(r"[0-9a-f]{20}", answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"]
        assert answer.headers["permissions-policy"]
        assert "strict-transport-security" not in answer.headers
    own = web.get("/api/jobs?strange=1", headers={"X-Request-ID": "my-own-request-1"})
    assert own.headers["x-request-id"] == own.json()["request_id"] == "my-own-request-1"
    web.until_logged('"my-own-request-1"')
    forged = web.get("/api/jobs", headers={"X-Request-ID": '"} {"level": "forged'})
    assert re.fullmatch(r"[0-9a-f]{20}", forged.headers["x-request-id"])
    assert web.post("/api/jobs").status_code == 405
    assert web.request("PUT", "/api/keys", MASTER).headers["allow"] == "GET, POST"


def test_every_line_of_the_log_is_json_without_secrets(web: WebProcess) -> None:
    """A key in a log line."""
    web.get("/api/jobs", MASTER)
    web.post("/api/run-pipeline", headers={"X-API-Key": "tipoff_never_shown"}, key=None)
    web.get(f"/api/matches/{MASTER}")
    web.until_logged("/api/matches/***")
    lines = web.log.read_text().splitlines()
    assert all({"event", "level", "timestamp"} <= set(json.loads(line)) for line in lines)
    assert MASTER not in web.log.read_text()
    assert "never_shown" not in web.log.read_text()


def test_a_body_of_more_than_a_megabyte_is_refused(web: WebProcess) -> None:
    """A process that is filled up."""
    answer = web.post("/api/run-pipeline", content=b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_answers_are_compressed_and_validated(web: WebProcess) -> None:
    """A list that is sent again and again as it was."""
    answer = web.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    first = web.get("/api/jobs")
    assert first.headers["etag"].startswith('W/"')
    assert "max-age" in first.headers["cache-control"]
    assert web.get("/api/jobs", headers={"If-None-Match": f'"x", {first.headers["etag"]}'}).status_code == 304
    assert web.get("/api/jobs", headers={"If-None-Match": '"x"'}).status_code == 200
    assert "no-store" in web.get("/api/keys", MASTER).headers["cache-control"]


def test_the_documentation_needs_nobody_else(web: WebProcess) -> None:
    """A page of documentation that loads its script from another host, or that its own policy blocks."""
    for path in ("/api/docs", "/api/redoc"):
        page = web.get(path)
        assert page.status_code == 200
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert loaded
        assert all(address.startswith("/api/") for address in loaded)
        assert all(web.get(address).status_code == 200 for address in loaded)
        if "<script>" in page.text:
            assert "'sha256-" in page.headers["content-security-policy"]
