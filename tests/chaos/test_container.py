"""The image's steps carried out as they are written, and its command as its user on a root that is read-only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.container import Container, Image, build
from tests.integration.conftest import application_dsn, dsn, pool, server, template
from tests.jobs import ended, enqueue, eventually
from tipoff.storage.pool import Pool

__all__ = ["application_dsn", "dsn", "pool", "server", "template"]
SOCKETS = "/run/postgres"
VOLUMES = ("/var/cache/tipoff", "/var/lib/tipoff")
ASK = """
import re, urllib.request
def asked(path):
    with urllib.request.urlopen("http://127.0.0.1:8000" + path) as answer:
        return answer.read().decode()
style, *_ = re.findall(r'href="(/static/[^"]+[.]css)"', asked("/"))
print(len(asked(style)) > 1000, "database" in asked("/api/system/health"), "openapi" in asked("/api/docs"))
"""
WRITES = (
    "import os, pathlib, sys\n"
    "def writes(path):\n"
    "    try: pathlib.Path(path, 'x').touch()\n"
    "    except OSError as error: return error.strerror\n"
    "    return 'written'\n"
    "print(os.getuid(), os.getgid(), *(f'{p} {writes(p)}' for p in sys.argv[1:]), sep='\\n')\n"
)
pytestmark = [
    pytest.mark.skipif("TIPOFF_CHAOS" not in os.environ, reason="it takes two minutes: make chaos"),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not Path("/dev/shm").is_dir(),
        reason="a container without an engine needs root on Linux",
    ),
]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Built once; in memory, since an overlay's layers lie on another file system than what they cover."""
    with tempfile.TemporaryDirectory(prefix="tipoff-", dir="/dev/shm") as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder))


@pytest.fixture
def told(application_dsn: str) -> tuple[dict[str, str], dict[str, Path]]:
    """Environment and mounts that lead to a database: the network of a container reaches nothing of ours."""
    folder = Path(str(conninfo_to_dict(application_dsn)["host"]))
    folder.chmod(0o755)
    (folder / ".s.PGSQL.5432").chmod(0o777)
    inside = application_dsn.replace(str(folder), SOCKETS)
    environment = {
        "DATABASE_URL": inside, "TIPOFF_OWNER_DATABASE_URL": inside.replace("user=tipoff_app", "user=postgres"),
        "OPERATOR_API_KEY": "operator-key-of-the-tests", "TIPOFF_SOURCE": "league",
    }  # fmt: skip
    return environment, {SOCKETS: folder}


def test_the_web_answers_and_its_health_check_says_when_it_does_not(
    image: Image, told: tuple[dict[str, str], dict[str, Path]]
) -> None:
    """An image that starts nowhere but at its author's; a check that is always green; a signal that nobody hears."""
    with Container(image, "web", *told) as web:
        eventually(web.healthy, "the web to answer", 40)
        asked = web.run("python", "-c", ASK)
        assert asked.stdout == "True True True\n", asked
        web.first.send_signal(signal.SIGSTOP)
        assert not web.healthy()
        web.first.send_signal(signal.SIGCONT)
        assert web.healthy()
        seen = web.run("python", "-c", WRITES, "/", "/etc", "/opt/tipoff", "/tmp", *VOLUMES)
        assert seen.stdout.splitlines() == [
            image.user, image.user, "/ Read-only file system", "/etc Read-only file system",
            "/opt/tipoff Read-only file system", "/tmp written", *(f"{path} written" for path in VOLUMES),
        ]  # fmt: skip
        assert web.stop() == 0, web.log.read_text()
        assert all(json.loads(line) for line in web.log.read_text().splitlines())


def test_a_worker_trains_with_the_kernels_of_the_image(
    image: Image, told: tuple[dict[str, str], dict[str, Path]], pool: Pool
) -> None:
    """Kernels that are compiled anew in each container, or cannot be cached at all; a model that cannot be stored."""
    shutil.rmtree(image.folder / "volumes", ignore_errors=True)
    compiled = _files(image.layer / "var/cache/tipoff")
    assert compiled
    with Container(image, "worker", *told, "tipoff", "worker", "--concurrency", "1", "--no-schedules") as worker:
        done = ended(pool, enqueue(pool, "data_pipeline", history_days=16, train_model=True), 120)
        assert done.status == "completed", (done.error, worker.log.read_text())
        volumes = image.folder / "volumes" / "var"
        assert _files(volumes / "cache/tipoff") == compiled
        assert not list((volumes / "lib/tipoff").rglob("*.nbi")), "numba's second choice: a cache in the home"
        assert any(path.stat().st_uid == int(image.user) for path in (volumes / "lib/tipoff").rglob("*.npz"))
        assert not worker.healthy(), "the web's check is not a worker's: compose.yaml leaves it out"
        assert worker.stop() == 0, worker.log.read_text()


def test_the_demo_needs_nothing_but_the_image(image: Image) -> None:
    """Migrations or pages that only a checkout has; a private Postgres that a number without a name cannot make."""
    shutil.rmtree(image.folder / "volumes", ignore_errors=True)
    with Container(image, "demo", {}, {}, "tipoff", "demo", "--no-serve", "--days", "16") as demo:
        assert demo.process.wait(200) == 0, demo.log.read_text()
        assert "Ledger verified: " in demo.log.read_text()


def _files(folder: Path) -> dict[str, float]:
    """When each file was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime for path in folder.rglob("*") if path.is_file()}
