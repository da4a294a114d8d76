"""Docs cannot lie."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bench.readme import BEGIN, END, figures
from bench.scaling import capacity
from tipoff.cli import commands, jobs
from tipoff.jobs.types import BUILT_IN
from tipoff.settings import Settings, names_of

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_figures_are_those_of_the_benchmark() -> None:
    """A figure typed by hand."""
    results = json.loads((ROOT / "bench" / "results.json").read_text())
    assert README.partition(BEGIN)[2].partition(END)[0].strip() == figures(results)
    page = (ROOT / "docs" / "scaling.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == capacity(results["production"])


def test_every_setting_of_ours_is_explained() -> None:
    """A setting nobody can find."""
    page = (ROOT / "docs" / "settings.md").read_text()
    ours = [name for field in Settings.model_fields.values() for name in names_of(field)]
    assert not [name for name in ours if f"`{name}`" not in page]


def test_every_command_is_explained() -> None:
    """A command nobody can find."""
    app = commands()
    named = [c.name or "" for c in app.registered_commands]
    groups = [group.name or "" for group in app.registered_groups]
    missing = [name for name in named + groups if not re.search(rf"\b{name}\b", README)]
    assert not missing


def test_every_table_is_guarded_or_open_on_purpose() -> None:
    """A table that the migrations forgot to close."""
    sql = "".join(path.read_text() for path in sorted((ROOT / "supabase" / "migrations").glob("*.sql")))
    tables = set(re.findall(r"create table public\.(\w+)", sql))
    assert len(tables) > 14
    assert all(f"'{table}'" in sql for table in tables)


def test_no_address_of_a_package_registry_is_committed() -> None:
    """Requirements that only install here."""
    for path in ROOT.glob("requirements*.txt"):
        assert not re.search(r"https?://|--index-url|--find-links", path.read_text()), path


def test_every_job_type_and_its_parameters_are_explained() -> None:
    """A job nobody can find."""
    page = (ROOT / "docs" / "jobs.md").read_text()
    for job_type in BUILT_IN:
        row = next((line for line in page.splitlines() if line.startswith(f"| `{job_type.name}` ")), "")
        assert all(f"`{name}`" in row for name in job_type.params.model_fields), job_type.name
        assert row, job_type.name


def test_every_subcommand_of_jobs_is_explained() -> None:
    """A command nobody can find."""
    page = (ROOT / "docs" / "jobs.md").read_text()
    names = [c.name or (c.callback.__name__ if c.callback else "") for c in jobs.app.registered_commands]
    assert not [name for name in names if f"tipoff jobs {name}" not in page]
