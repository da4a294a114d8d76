"""Linters of requirements-dev.txt, for files that are not Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.jobs import ROOT


def complaints(program: str, *arguments: str) -> str:
    """What a linter says of files of the repository where it finds fault; fails where it is not installed."""
    path = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert path is not None, f"{program} is not installed: pip install -r requirements-dev.txt"
    done = subprocess.run([path, *arguments], check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr
