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
EXAMPLES = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)
SAYS = ['"job_type":"model_training"', "data_pipeline pending", "model_training pending", "snapshot jobs ['pending']"]


@pytest.fixture
def web(application_dsn: str, tmp_path: Path) -> Iterator[WebProcess]:
    """An API with a job."""
    process = WebProcess(application_dsn, tmp_path)
    try:
        process.post("/api/ml/train").raise_for_status()
        yield process
    finally:
        assert process.stop() == 0


def test_every_language_has_an_example() -> None:
    """A guide for some."""
    assert {language for language, _ in EXAMPLES} == set(PROGRAMS)


@pytest.mark.parametrize(("example", "said"), list(zip(EXAMPLES, SAYS, strict=True)))
def test_the_examples_run(web: WebProcess, example: tuple[str, str], said: str) -> None:
    """An example that never worked."""
    language, code = example
    program = PROGRAMS[language]
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not here")
    done = subprocess.run(
        [*program, code], check=False, capture_output=True, text=True, timeout=60,
        env={**os.environ, "TIPOFF_URL": web.url, "TIPOFF_KEY": MASTER},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
