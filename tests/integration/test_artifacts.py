"""The store of model files: one set of rules for a directory and for Supabase Storage."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supabase_storage import LEGACY, PUBLIC, SECRET, Bucket
from tipoff.errors import ArtifactError, InputError, TransientArtifactError
from tipoff.health.checks.artifact_store import StoreLook
from tipoff.league.runner import served
from tipoff.storage.artifacts import MAX_BYTES, PAGE, ArtifactStore, DirectoryStore, SupabaseStore

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


@pytest.mark.parametrize("fault", ["429", "500", "cut"])
def test_what_may_pass_stays_so_when_the_attempts_are_used_up(bucket: Bucket, url: str, fault: str) -> None:
    """A training that is given up for good because the store was busy for ten seconds."""
    bucket.created, bucket.faults = True, [fault] * 2
    with contextlib.closing(SupabaseStore(url, SECRET, attempts=2, sleep=lambda _: None)) as made:
        with pytest.raises(TransientArtifactError):
            made.put("state", CONTENT)
        assert made.get("state", made.put("state", CONTENT)) == CONTENT


@pytest.mark.parametrize("status", [502, 503, 520])
def test_a_gateway_that_fails_may_pass(bucket: Bucket, url: str, status: int) -> None:
    """Only Storage's own errors known, and not those of what stands before it."""
    with contextlib.closing(SupabaseStore(url, SECRET, attempts=2, sleep=lambda _: None)) as made:
        key = f"models/state/{made.put('state', CONTENT)}.npz"
        bucket.unreadable, bucket.status = {key}, status
        bucket.asked.clear()
        with pytest.raises(TransientArtifactError, match=f"{status}.*2 attempts"):
            made.get("state", hashlib.sha256(CONTENT).hexdigest())
    assert len(bucket.asked) == 2


def test_what_does_not_pass_is_not_tried_again(bucket: Bucket, url: str) -> None:
    """A job that asks again and again for a file that is gone, damaged, or not for it."""
    waits: list[float] = []
    with contextlib.closing(SupabaseStore(url, SECRET, sleep=waits.append)) as made:
        sha256 = made.put("state", CONTENT)
        with pytest.raises(ArtifactError, match="NoSuchKey") as missing:
            made.get("state", "0" * 64)
        bucket.objects[f"models/state/{sha256}.npz"] = b"another"
        with pytest.raises(ArtifactError, match="changed or cut short") as damaged:
            made.get("state", sha256)
    with (
        contextlib.closing(SupabaseStore(url, PUBLIC, sleep=waits.append)) as made,
        pytest.raises(ArtifactError, match="AccessDenied") as refused,
    ):
        made.get("state", sha256)
    assert [missing.type, damaged.type, refused.type] == [ArtifactError] * 3
    assert waits == []


def test_everything_that_is_there_is_listed(store: tuple[ArtifactStore, Damage]) -> None:
    """Files that nobody finds again, because a list ends at its first page or mixes two kinds."""
    made, _ = store
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    assert made.listed("state") == []
    put = {made.put("state", str(i).encode()) for i in range(PAGE + 3)}
    other = made.put("document", b"{}")
    found = made.listed("state")
    assert {sha256 for sha256, _ in found} == put
    assert len(found) == len(put)
    assert all(before < at < dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5) for _, at in found)
    assert [sha256 for sha256, _ in made.listed("document")] == [other]


def test_a_missing_bucket_is_made_private(bucket: Bucket, url: str) -> None:
    """A deployment that needs somebody to make a bucket; one that everybody may read, or that takes anything."""
    with contextlib.closing(SupabaseStore(url, SECRET, sleep=lambda _: None)) as made:
        made.put("state", CONTENT)
        made.put("document", b"{}")
    assert (bucket.created, bucket.public, bucket.limit) == (True, False, MAX_BYTES)
    assert bucket.asked[:3] == ["GET /storage/v1/bucket/tipoff", "POST /storage/v1/bucket", bucket.asked[0]]
    assert bucket.asked.count(bucket.asked[0]) == 2


def test_two_that_make_the_bucket_at_once(bucket: Bucket, url: str) -> None:
    """Two workers of a first deployment, of which one fails."""
    with contextlib.closing(SupabaseStore(url, SECRET, sleep=lambda _: None)) as made:
        bucket.created = True
        assert made._create_bucket()["public"] is False


def test_a_public_bucket_is_refused(bucket: Bucket, url: str) -> None:
    """Models that everybody downloads, because somebody ticked a box."""
    bucket.created = bucket.public = True
    with (
        contextlib.closing(SupabaseStore(url, SECRET, sleep=lambda _: None)) as made,
        pytest.raises(ArtifactError, match=r"tipoff is public.*TIPOFF_BUCKET"),
    ):
        made.put("state", CONTENT)
    assert bucket.objects == {}


def test_a_store_that_fails_is_no_damaged_champion(bucket: Bucket, url: str) -> None:
    """People sent to restore a model, when it is the store that has trouble; a champion that is gone, unnoticed."""
    look = StoreLook(
        lambda: contextlib.closing(SupabaseStore(url, SECRET, attempts=2, sleep=lambda _: None)), every=0.0
    )
    with contextlib.closing(SupabaseStore(url, SECRET, sleep=lambda _: None)) as made:
        champion = made.put("document", b"{}")
    key = f"models/document/{champion}.json"
    found = look.look(champion)
    assert (found.away, found.champion) == (None, None)
    bucket.unreadable = {key}
    found = look.look(champion)
    assert found.champion is None
    assert found.away is not None
    assert "503: no healthy upstream (2 attempts)" in found.away
    bucket.unreadable = set()
    del bucket.objects[key]
    found = look.look(champion)
    assert found.away is None
    assert found.champion is not None
    assert "NoSuchKey" in found.champion


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
