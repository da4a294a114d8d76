"""The workflow for users' own CI does what the Makefile offers, and may do nothing else."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import yaml

from tests.jobs import ROOT
from tests.linting import complaints

FILE = ".github/workflows/ci.yml"
TEXT = (ROOT / FILE).read_text()
WORKFLOW: dict[str, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = set(re.findall(r"(?m)^([a-z]+):.*## ", (ROOT / "Makefile").read_text()))


def test_linters_find_nothing() -> None:
    """A workflow that is not one, or that hands its token to somebody."""
    assert not complaints("zizmor", "--offline", "--persona=pedantic", FILE)
    assert not complaints("check-jsonschema", "--builtin-schema", "vendor.github-workflows", FILE)


def test_its_commands_exist() -> None:
    """A target that was renamed in the Makefile alone."""
    asked = [target for job in JOBS.values() for step in job["steps"] for target in _made(step.get("run", ""))]
    assert set(asked) <= TARGETS
    assert {"check", "test", "package", "image"} == set(asked)


def _made(run: str) -> list[str]:
    return re.findall(r"\bmake (\w+)", run)


def test_what_tests_need_is_installed() -> None:
    """A green run in which what needs a proxy or a pooler was skipped."""
    [step] = [step["run"] for step in JOBS["test"]["steps"] if "apt-get" in step.get("run", "")]
    run = (ROOT / ".ci" / "run").read_text()
    ours = re.findall(r"apt-get install -y -qq (?:--no-install-recommends )?([\w-]+)", run)
    assert set(ours) - {"chromium"} <= set(step.split()), "Ubuntu's chromium is a snap"


def test_it_may_read_and_nothing_else() -> None:
    """A token that may write, in a job that runs what a stranger sent."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is True
    assert all(5 < job["timeout-minutes"] <= 90 for job in JOBS.values())


def test_actions_are_pinned_and_their_versions_said() -> None:
    """A tag that somebody moves to another commit; a token that is left on the disk."""
    used = re.findall(r"uses: (.*)", TEXT)
    assert used
    assert TEXT.count("persist-credentials: false") == TEXT.count("actions/checkout@")
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in used)


def test_every_python_that_the_project_names_is_tested() -> None:
    """A version that is promised and never tried."""
    tested = JOBS["test"]["strategy"]["matrix"]["python"]
    named = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+", c)]
    assert tested == named
    assert PROJECT["requires-python"] == f">={tested[0]}"
