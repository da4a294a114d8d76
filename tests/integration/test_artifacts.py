"""The store of model files: one set of rules for a directory and for Supabase Storage."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supabase_storage import LEGACY, PUBLIC, SECRET, Bucket
from tipoff.errors import ArtifactError, InputError, TransientArtifactError
from tipoff.league.runner import served
from tipoff.storage.artifacts import MAX_BYTES, ArtifactStore, DirectoryStore, SupabaseStore

CONTENT = os.urandom(200_000)
Damage = Callable[[str], None]


@pytest.fixture
def bucket() -> Bucket:
    """What the loopback server stores."""
    return Bucket()


@pytest.fixture
def url(bucket: Bucket) -> Iterator[str]:
    """A loopback server that answers like Supabase Storage."""
    with served(bucket.app()) as address:
        yield address


@pytest.fixture(params=["directory", "supabase", "supabase with a legacy key"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ArtifactStore, Damage]]:
    """A store, and a way to damage what it holds (None content deletes)."""
    if request.param == "directory":

        def damage(sha256: str) -> None:
            path = next(tmp_path.rglob(f"{sha256}*"))
            path.write_bytes(path.read_bytes()[:-1] + b"\x00\x01")

        yield DirectoryStore(tmp_path), damage
        return
    bucket: Bucket = request.getfixturevalue("bucket")

    def damage_object(sha256: str) -> None:
        [key] = [key for key in bucket.objects if sha256 in key]
        bucket.objects[key] = bucket.objects[key][:-1] + b"\x00\x01"

    key = SECRET if request.param == "supabase" else LEGACY
    with contextlib.closing(SupabaseStore(request.getfixturevalue("url"), key, sleep=lambda _: None)) as made:
        yield made, damage_object


def test_what_was_stored_comes_back(store: tuple[ArtifactStore, Damage]) -> None:
    """A byte lost; two kinds mixed up; the same content twice as two."""
    made, _ = store
    sha256 = made.put("state", CONTENT)
    assert made.put("state", CONTENT) == sha256
    other = made.put("document", b"{}")
    assert made.get("state", sha256) == CONTENT
    assert made.get("document", other) == b"{}"
    with pytest.raises(ArtifactError):
        made.get("document", sha256)


def test_what_is_missing_is_an_error(store: tuple[ArtifactStore, Damage]) -> None:
    """None, or an empty model; deleting what is not there is fine."""
    made, _ = store
    with pytest.raises(ArtifactError):
        made.get("state", "0" * 64)
    sha256 = made.put("state", b"x")
    made.delete("state", sha256)
    made.delete("state", sha256)
    with pytest.raises(ArtifactError):
        made.get("state", sha256)


def test_a_damaged_file_is_never_returned_and_can_be_mended(store: tuple[ArtifactStore, Damage]) -> None:
    """A wrong hash that nobody looks at; a damaged file that blocks its own name."""
    made, damage = store
    sha256 = made.put("state", CONTENT)
    damage(sha256)
    with pytest.raises(ArtifactError, match="changed or cut short"):
        made.get("state", sha256)
    made.put("state", CONTENT)
    assert made.get("state", sha256) == CONTENT


@pytest.mark.parametrize(("kind", "name"), [("state", "../../etc/passwd"), ("secret", "0" * 64), ("state", "")])
def test_foreign_names_are_refused(store: tuple[ArtifactStore, Damage], kind: str, name: str) -> None:
    """A path out of the store."""
    with pytest.raises(InputError, match="no artifact"):
        store[0].get(kind, name)


def test_too_big_is_refused_early(store: tuple[ArtifactStore, Damage]) -> None:
    """An upload that fails after 45 MB."""
    with pytest.raises(InputError, match="too big"):
        store[0].put("state", bytes(MAX_BYTES + 1))


@pytest.mark.parametrize("faults", [["429"], ["500", "500"], ["cut"], ["429", "cut", "500"]])
def test_what_may_pass_is_tried_again(bucket: Bucket, url: str, faults: list[str]) -> None:
    """A model lost because the server was busy, or stored by half."""
    waits: list[float] = []
    with contextlib.closing(SupabaseStore(url, SECRET, sleep=waits.append)) as made:
        bucket.created = True
        bucket.faults = list(faults)
        sha256 = made.put("state", CONTENT)
        assert bucket.faults == []
        assert 1 <= len(waits) <= len(faults)
        assert made.get("state", sha256) == CONTENT
    assert len(bucket.objects) == 1


def test_trouble_that_does_not_pass_is_said(bucket: Bucket, url: str) -> None:
    """Trying for ever, or giving up in silence."""
    bucket.faults = ["500"] * 50
    with (
        contextlib.closing(SupabaseStore(url, SECRET, attempts=3, sleep=lambda _: None)) as made,
        pytest.raises(TransientArtifactError, match=r"InternalError.*3 attempts"),
    ):
        made.put("state", CONTENT)
    assert len(bucket.faults) == 47


def test_a_key_of_the_wrong_kind_is_explained(url: str) -> None:
    """A publishable key pasted into the wrong setting."""
    with (
        contextlib.closing(SupabaseStore(url, PUBLIC, sleep=lambda _: None)) as made,
        pytest.raises(ArtifactError, match="must be the project's secret"),
    ):
        made.put("state", CONTENT)
    with pytest.raises(InputError, match="SUPABASE_SERVICE_ROLE_KEY is not set"):
        SupabaseStore(url, "")


def test_the_stand_in_refuses_a_secret_key_as_bearer(bucket: Bucket, url: str) -> None:
    """A stand-in more lenient than the real server, which would hide the mistake."""
    with contextlib.closing(SupabaseStore(url, SECRET, sleep=lambda _: None)) as made:
        made._client.headers["Authorization"] = f"Bearer {SECRET}"
        with pytest.raises(ArtifactError, match="Invalid Compact JWS"):
            made.put("state", CONTENT)


def test_nobody_there_is_said() -> None:
    """A connection error as a traceback."""
    with (
        contextlib.closing(SupabaseStore("http://127.0.0.1:9", SECRET, attempts=2, sleep=lambda _: None)) as made,
        pytest.raises(TransientArtifactError, match="2 attempts"),
    ):
        made.get("state", "0" * 64)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """A model that could not be written and is activated."""
    blocked = tmp_path / "models"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(ArtifactError, match="cannot write"):
        DirectoryStore(tmp_path).put("state", CONTENT)
