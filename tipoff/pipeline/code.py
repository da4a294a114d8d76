"""Which code made a forecast: the version, and the commit where it can be known."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import subprocess
from pathlib import Path


@functools.cache
def code_version() -> str:
    """Such as "0.1.0+4a688af0c1d2"; without the part after + where there is neither Render nor git."""
    try:
        version = importlib.metadata.version("tipoff")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    commit = os.environ.get("RENDER_GIT_COMMIT", "")[:12] or _commit(Path(__file__).parents[2])
    return f"{version}+{commit}" if commit else version


def _commit(repository: Path) -> str:
    if not (repository / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"],
            check=False, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
