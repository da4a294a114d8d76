"""The page of settings, the example file and render.yaml say what the code reads."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from scripts.settings import GROUPS, OTHERS, example, is_secret, page
from tests.jobs import ROOT
from tipoff.refusals.given import Role
from tipoff.settings import Settings, names_of
from tipoff.starting import checked_settings

NAMES = {name for field in Settings.model_fields.values() for name in names_of(field)}
START = "uvicorn backend.app.api:app --host 0.0.0.0 --port $PORT"


def test_both_are_those_of_the_code() -> None:
    """A default typed by hand; a setting nobody can find (python -m scripts.settings writes them)."""
    assert (ROOT / "docs" / "settings.md").read_text() == page()
    assert (ROOT / ".env.example").read_text() == example()


def test_every_setting_is_in_one_group() -> None:
    """A setting that is left out."""
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(Settings.model_fields)
    assert all(f"`{name}`" in page() for name in NAMES)


def test_secrets_are_marked() -> None:
    """A key pasted where everybody sees it."""
    secret = {names_of(field)[0] for name, field in Settings.model_fields.items() if is_secret(name, field)}
    assert secret == {
        "DATABASE_URL", "TIPOFF_OWNER_DATABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY",
        "OPERATOR_API_KEY", "TIPOFF_SESSION_SECRET", "TIPOFF_H2H_2025_TOKEN", "TIPOFF_H2H_2025_TOKEN_COMMAND",
        "TIPOFF_ALERT_URLS",
    }  # fmt: skip
    for line in page().splitlines():
        assert ("*Secret.*" in line) == (line.partition("` |")[0].removeprefix("| `") in secret), line


def test_the_example_starts_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """An example that has to be mended first."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert checked_settings(Role.WORKER) == Settings()
    taken = [
        line.removeprefix("#") for line in example().splitlines() if line.startswith("#") and line[1:2].isupper()
    ]
    (tmp_path / ".env").write_text("\n".join(taken))
    assert checked_settings(Role.WORKER).source == "h2h-2026"


def services() -> dict[str, dict[str, Any]]:
    """What render.yaml runs, by type."""
    found = yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    return {one["type"]: one for one in found}


def test_render_runs_what_the_contract_says() -> None:
    """Another command than the deployment contract's; a schedule that is run twice."""
    found = services()
    assert set(found) == {"web", "worker"}
    web, worker = found["web"], found["worker"]
    assert (web["startCommand"], web["healthCheckPath"]) == (START, "/api/health")
    assert worker["startCommand"] == "python -m tipoff worker"
    assert web["preDeployCommand"] == "python -m tipoff db migrate"
    for one in (web, worker):
        assert (one["runtime"], one["buildCommand"]) == ("python", "pip install -r requirements.txt")
        assert 1 <= one["maxShutdownDelaySeconds"] <= 300


def test_render_asks_for_secrets_and_sets_only_what_is_read() -> None:
    """A key in git; a setting that nobody reads."""
    group = yaml.safe_load((ROOT / "render.yaml").read_text())["envVarGroups"][0]
    assert group["envVars"] == [{"key": "OPERATOR_API_KEY", "generateValue": True}]
    for one in services().values():
        given = {entry["key"]: entry for entry in one["envVars"] if "key" in entry}
        assert {"fromGroup": group["name"]} in one["envVars"]
        asked = {name for name, entry in given.items() if entry.get("sync") is False}
        assert asked == {"SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY", "DATABASE_URL"}
        assert given["PYTHON_VERSION"]["value"].startswith("3.11.")
        assert given["WEB_CONCURRENCY"]["value"] == "1"
        assert set(given) - NAMES - set(OTHERS) == {"PYTHONUNBUFFERED"}
