"""Counting requests in windows, and keys that are asked about again."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from tipoff.api import access, limiting
from tipoff.api.access import Keys
from tipoff.api.limiting import Limiter, Windows
from tipoff.api.problems import ProblemError
from tipoff.storage.keys import StoredKey


def test_a_window_ends_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is refused for ever, or one that is remembered for ever."""
    now = 1_000.0
    monkeypatch.setattr(limiting.time, "time", lambda: now)
    monkeypatch.setattr(limiting.time, "monotonic", lambda: now)
    windows, limiter = Windows(), Limiter(2, 1, 1)
    assert [windows.incr("a", 60), windows.incr("a", 60), windows.incr("b", 60)] == [1, 2, 1]
    assert [limiter.count("read", "c")["RateLimit-Remaining"] for _ in range(2)] == ["1", "0"]
    with pytest.raises(ProblemError):
        limiter.count("read", "c")
    now += 60.0
    assert (windows.get("a"), windows.incr("a", 60), windows.get_expiry("a")) == (0, 1, now + 60)
    assert limiter.count("read", "c")["RateLimit-Remaining"] == "1"
    now += 61.0
    windows.incr("c", 60)
    assert list(windows._windows) == ["c"]


def test_one_request_asks_again_about_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty clients with one key that all ask the database twice a second; or a key that outlives its revocation."""
    now = 1_000.0
    monkeypatch.setattr(access.time, "monotonic", lambda: now)
    stored: StoredKey | None = StoredKey(uuid.uuid4(), "k", "read", "h", dt.datetime.now(dt.UTC), None, None, None)
    keys = Keys(lambda _: stored, None)
    keys.look_up("k")
    now += access.REMEMBERED + 0.1
    assert [keys.remembered("k")[0] for _ in range(3)] == [False, True, True]
    now += access.LATEST - access.REMEMBERED
    assert [keys.remembered("k")[0] for _ in range(2)] == [False, False]
    stored = None
    assert keys.look_up("k") is None
    assert keys.remembered("k") == (True, None)
