"""Settings: what is read from the environment, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tipoff.settings import Settings


def test_only_our_own_names_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HOME taken for TIPOFF_HOME fills the user's home directory; TOKEN or SOURCE belong to somebody else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIPOFF_HOME", raising=False)
    monkeypatch.delenv("TIPOFF_SOURCE", raising=False)
    for name, value in {"HOME": str(tmp_path), "TOKEN": "x", "SOURCE": "x", "SPACING": "9", "BUCKET": "x"}.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.home != tmp_path
    assert settings.home.name == "tipoff"
    assert (settings.token, settings.source, settings.spacing, settings.bucket) == (None, "h2h-2026", 1.2, "tipoff")


@pytest.mark.parametrize(("text", "expected"), [("30,2", [30, 2]), ("5 60", [60, 5]), ("15", [15])])
def test_horizons_are_minutes(monkeypatch: pytest.MonkeyPatch, text: str, expected: list[int]) -> None:
    """A horizon that is silently another one."""
    monkeypatch.setenv("TIPOFF_HORIZONS", text)
    assert Settings().horizons == expected


@pytest.mark.parametrize("text", [" ", "0", "30,30", "soon", "30,-2", "99999"])
def test_impossible_horizons_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A ledger that never seals."""
    monkeypatch.setenv("TIPOFF_HORIZONS", text)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("name", ["SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY", "SUPABASE_KEY"])
def test_each_name_of_the_secret_key_are_read_and_kept_secret(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A key in a log line."""
    monkeypatch.setenv(name, "sb_secret_x")
    settings = Settings()
    assert settings.supabase_key is not None
    assert settings.supabase_key.get_secret_value() == "sb_secret_x"
    assert "sb_secret_x" not in repr(settings)
