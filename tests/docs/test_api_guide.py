"""The API guide's examples run as they are written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import application_dsn, dsn, server, template
from tests.jobs import ROOT
from tests.web import MASTER, WebProcess

__all__ = ["application_dsn", "dsn", "server", "template"]
GUIDE = (ROOT / "docs" / "api.md").read_text()
PROGRAMS = {
    "bash": ["bash", "-euc"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}
SAYS = {
    "bash": '"job_type":"model_training"',
    "python": "data_pipeline pending",
    "javascript": "model_training pending",
}


@pytest.fixture
def web(application_dsn: str, tmp_path: Path) -> Iterator[WebProcess]:
    """An API with a job."""
    process = WebProcess(application_dsn, tmp_path)
    try:
        process.post("/api/ml/train").raise_for_status()
        yield process
    finally:
        assert process.stop() == 0


def test_the_examples_run(web: WebProcess) -> None:
    """An example that never worked."""
    found = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)
    assert {language for language, _ in found} == set(PROGRAMS)
    for language, code in found:
        program = PROGRAMS[language]
        if shutil.which(program[0]) is None:
            pytest.skip(f"{program[0]} is not here")
        done = subprocess.run(
            [*program, code], check=False, capture_output=True, text=True, timeout=60,
            env={**os.environ, "TIPOFF_URL": web.url, "TIPOFF_KEY": MASTER},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert SAYS[language] in done.stdout
