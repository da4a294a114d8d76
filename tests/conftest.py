"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("tipoff", deadline=None)  # how long one example takes depends on what else the machine does
settings.load_profile("tipoff")

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "recorded"


@pytest.fixture(scope="session")
def recorded_nba() -> Path:
    """The folder of recorded real days, where this machine has it."""
    folder = RECORDED / "nba"
    if not folder.is_dir():
        pytest.skip(f"no recorded real matches at {folder}")
    return folder
