"""What is handed on: a wheel and an sdist that hold the same, and run where the repository is not."""

from __future__ import annotations

import email
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.jobs import ROOT

UNWANTED = re.compile(r"(^|/)(tests|bench|shared|docs|__pycache__|\.env|\.git|\.venv)(/|$)|\.pyc$")


def built(source: Path, into: Path) -> tuple[Path, Path]:
    """(wheel, sdist) of a source tree."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(into)], check=True, cwd=source, timeout=60,
        capture_output=True,
    )  # fmt: skip
    return next(into.glob("*.whl")), next(into.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A place that other users reach too: as root the private Postgres is another's."""
    with tempfile.TemporaryDirectory(prefix="tipoff-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def dist(folder: Path) -> tuple[Path, Path]:
    """Wheel and sdist of the repository."""
    return built(ROOT, folder / "dist")


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_the_wheel_of_the_sdist_is_the_wheel(dist: tuple[Path, Path], folder: Path) -> None:
    """An sdist that lacks what a wheel needs, so that only this checkout can build it."""
    wheel, sdist = dist
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    again, _ = built(next((folder / "unpacked").iterdir()), folder / "again")
    assert _names(again) == _names(wheel)
    assert again.read_bytes() == wheel.read_bytes()


def test_it_has_every_file_that_runs_and_no_other(dist: tuple[Path, Path]) -> None:
    """A page without its template, a database without its schema; a test, a secret or a cache that goes along."""
    wheel, sdist = dist
    with tarfile.open(sdist) as archive:
        sent = archive.getnames()
    tracked = subprocess.run(
        ["git", "ls-files", "tipoff", "backend", "supabase/migrations"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    wanted = {re.sub(r"^supabase/migrations/", "tipoff/storage/schema/", name) for name in tracked}
    assert {name for name in _names(wheel) if ".dist-info/" not in name} == wanted
    assert set(tracked) <= {name.partition("/")[2] for name in sent}
    assert not [name for name in [*_names(wheel), *sent] if UNWANTED.search(name)]


def test_its_metadata_say_what_it_is(dist: tuple[Path, Path]) -> None:
    """A package without its licence; one that is installed where it cannot run."""
    with zipfile.ZipFile(dist[0]) as archive:
        [path] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        told = email.message_from_bytes(archive.read(path))
        assert archive.read(f"{Path(path).parent}/licenses/LICENSE").startswith(b"MIT License")
        assert "tipoff = tipoff.cli:main" in archive.read(f"{Path(path).parent}/entry_points.txt").decode()
    assert (told["Name"], told["Requires-Python"], told["License-Expression"]) == ("tipoff", ">=3.11", "MIT")
    assert told["Version"] in dist[0].name
    assert told["Description-Content-Type"] == "text/markdown"
    assert str(told.get_payload()).startswith("# Tipoff")


@pytest.fixture(scope="module")
def tipoff(dist: tuple[Path, Path], folder: Path) -> Path:
    """The command of a new environment with the wheel and what requirements.txt pins.

    `make chaos` installs all of it; else the packages are those of the tests' own environment (but not the project:
    a folder that is added to the path brings no editable installation with it).
    """
    place = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=60)
    python = place / "bin" / "python"
    wanted = [["--no-deps", str(dist[0])]]
    if "TIPOFF_CHAOS" in os.environ:
        wanted.insert(0, ["-r", str(ROOT / "requirements.txt")])
    else:
        (Path(_ask(python, "purelib")) / "others.pth").write_text(sysconfig.get_path("purelib"))
    for what in wanted:
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what],
            check=True, timeout=300, cwd=folder, capture_output=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )  # fmt: skip
    return place / "bin" / "tipoff"


def _ask(python: Path, path: str) -> str:
    code = f"import sysconfig; print(sysconfig.get_path({path!r}))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def empty(folder: Path) -> tuple[Path, dict[str, str]]:
    """An empty directory, and an environment that knows nothing of the repository."""
    place = folder / "empty"
    place.mkdir(exist_ok=True)
    return place, {
        "PATH": "/usr/bin:/bin", "HOME": str(place), "TIPOFF_HOME": str(folder / "home"), "LANG": "C.UTF-8",
        "TIPOFF_SOURCE": "league",
    }  # fmt: skip


def test_the_demo_runs_where_the_repository_is_not(tipoff: Path, empty: tuple[Path, dict[str, str]]) -> None:
    """Files that only a checkout has; pages that are found beside the source alone."""
    place, environment = empty
    where = subprocess.run(
        [str(tipoff.with_name("python")), "-c", "import backend, tipoff; print(tipoff.__file__, backend.__file__)"],
        check=True, cwd=place, env=environment, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert all(Path(path).is_relative_to(tipoff.parents[1]) for path in where)
    try:
        done = subprocess.run(
            [str(tipoff), "demo", "--no-serve", "--days", "12"], check=False, cwd=place, env=environment,
            capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert re.search(r"Ledger verified: \d+ rows", done.stdout), done.stdout
        assert "Done in" in done.stdout
        _serves(tipoff, place, {**environment, "TIPOFF_HOME": f"{environment['TIPOFF_HOME']}/demo-league-7"})
    finally:
        subprocess.run(
            [str(tipoff), "db", "down"], check=True, cwd=place, capture_output=True,
            env={**environment, "TIPOFF_HOME": f"{environment['TIPOFF_HOME']}/demo-league-7"},
        )  # fmt: skip


def _serves(tipoff: Path, place: Path, environment: dict[str, str]) -> None:
    """`tipoff up` shows what the demo made: pages, their style sheets, the API."""
    with subprocess.Popen(
        [str(tipoff), "up", "--port", "0", "--days", "4"], cwd=place, env={**environment, "TIPOFF_LOG": "json"},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            url = next(found[0] for line in process.stdout if (found := re.search(r"http://[\d.:]+", line)))
            with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
                page = client.get("/")
                assert "Upcoming" in page.raise_for_status().text
                [style, *_] = re.findall(r'href="(/static/[^"]+\.css)"', page.text)
                assert client.get(style).status_code == 200
                assert client.get("/api/health").json()["database"] == "ok"
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    assert process.returncode == 0
