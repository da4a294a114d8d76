"""Where model files live: a local directory, or Supabase Storage; addressed by content, verified on reading.

Keys are `models/<kind>/<sha256>.<ending>`. Supabase's rules, tried out on the real server: nearly every error
comes as HTTP 400 with the true code in JSON; a secret key (sb_...) goes into `apikey` alone, an older JWT key
into `Authorization` as well; upsert "false" is no lock, so the champion's pointer lives in Postgres.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import itertools
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx

from tipoff.errors import ArtifactError, InputError, TransientArtifactError

MAX_BYTES = 45_000_000
"""Supabase's free plan stores files up to 50 MB; refuse earlier"""
PATIENCE = 15.0
"""seconds that the server may be silent: all attempts together fit into what a training keeps for storing"""
PAGE = 100
"""objects that are listed at a time"""
ENDINGS = {"document": "json", "state": "npz"}
SHA256 = re.compile(r"[0-9a-f]{64}")


class ArtifactStore(Protocol):
    """Keeps bytes under their own sha256."""

    def put(self, kind: str, content: bytes) -> str:
        """Store `content` and return its sha256; the same content twice is one.

        Raises InputError when it is too big, ArtifactError when it cannot be stored, TransientArtifactError when that
        may pass.
        """
        ...

    def get(self, kind: str, sha256: str) -> bytes:
        """What was stored; raises ArtifactError when it is missing or not what its name says.

        Raises TransientArtifactError when the store cannot be asked just now.
        """
        ...

    def delete(self, kind: str, sha256: str) -> None:
        """Forget it; nothing happens when it is not there."""
        ...

    def listed(self, kind: str) -> list[tuple[str, dt.datetime]]:
        """(sha256, when it was last stored) of everything of a kind that is there."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


def key_of(kind: str, sha256: str) -> str:
    """Where a file lies in a store; raises InputError for what is no artifact."""
    if kind not in ENDINGS or not SHA256.fullmatch(sha256):
        raise InputError(f"no artifact is named {kind!r} {sha256!r}")
    return f"models/{kind}/{sha256}.{ENDINGS[kind]}"


def _named(kind: str, content: bytes) -> tuple[str, str]:
    if len(content) > MAX_BYTES:
        raise InputError(f"a {kind} of {len(content):,} bytes is too big to store: at most {MAX_BYTES:,}")
    sha256 = hashlib.sha256(content).hexdigest()
    return sha256, key_of(kind, sha256)


def _verified(content: bytes, sha256: str, where: str) -> bytes:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(f"{where} was changed or cut short: its sha256 is not its name; train again")
    return content


class DirectoryStore:
    """Files below a directory; each appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, kind: str, content: bytes) -> str:
        """Write beside the final place, then rename."""
        sha256, key = _named(kind, content)
        path = self._folder / key
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise ArtifactError(f"cannot write {path}: {error.strerror}") from error
        return sha256

    def get(self, kind: str, sha256: str) -> bytes:
        """Read and verify."""
        path = self._folder / key_of(kind, sha256)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"cannot read {path}: {error.strerror}; train again or restore it") from error
        return _verified(content, sha256, str(path))

    def delete(self, kind: str, sha256: str) -> None:
        """Remove the file."""
        (self._folder / key_of(kind, sha256)).unlink(missing_ok=True)

    def listed(self, kind: str) -> list[tuple[str, dt.datetime]]:
        """The files of that folder."""
        files = (self._folder / "models" / kind).glob(f"*.{ENDINGS[kind]}")
        return [
            (path.stem, dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC))
            for path in files
            if SHA256.fullmatch(path.stem)
        ]

    def close(self) -> None:
        """Nothing to give back."""


class SupabaseStore:
    """A private bucket of Supabase Storage, over its REST API; made where it is missing.

    Failures that may pass (429, 5xx, connection trouble, an upload that arrived damaged) are tried again
    with a growing wait; what outlasts the attempts is a TransientArtifactError. `sleep` is replaced in tests.
    """

    def __init__(
        self, url: str, key: str, bucket: str = "tipoff", attempts: int = 5, first_wait: float = 0.5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        if not key:
            raise InputError("SUPABASE_SERVICE_ROLE_KEY is not set: models cannot be stored in Supabase Storage")
        headers = {"apikey": key, "User-Agent": "Tipoff"}
        if key.startswith("eyJ"):
            headers["Authorization"] = f"Bearer {key}"
        self._bucket, self._attempts, self._first_wait, self._sleep = bucket, attempts, first_wait, sleep
        self._private = False
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/storage/v1", headers=headers, timeout=httpx.Timeout(PATIENCE, connect=5.0)
        )

    def put(self, kind: str, content: bytes) -> str:
        """Upload, then read back and verify: what was cut on the way is sent again."""
        sha256, key = _named(kind, content)

        def once() -> None:
            self._open_bucket()
            self._ask("POST", f"/object/{self._bucket}/{key}", content)
            stored = self._ask("GET", f"/object/authenticated/{self._bucket}/{key}").content
            if hashlib.sha256(stored).hexdigest() != sha256:
                raise TransientArtifactError(f"{key} arrived damaged in the bucket {self._bucket}")

        self._persist(once)
        return sha256

    def get(self, kind: str, sha256: str) -> bytes:
        """Download and verify."""
        path = f"/object/authenticated/{self._bucket}/{key_of(kind, sha256)}"
        content: bytes = self._persist(lambda: self._ask("GET", path).content)
        return _verified(content, sha256, f"{self._bucket}/{key_of(kind, sha256)}")

    def delete(self, kind: str, sha256: str) -> None:
        """Delete the object."""
        body = {"prefixes": [key_of(kind, sha256)]}
        self._persist(lambda: self._ask("DELETE", f"/object/{self._bucket}", json=body))

    def listed(self, kind: str) -> list[tuple[str, dt.datetime]]:
        """The objects of that folder, asked for page by page."""
        self.prepare()
        found: list[tuple[str, dt.datetime]] = []
        body = {"prefix": f"models/{kind}", "limit": PAGE, "sortBy": {"column": "name", "order": "asc"}}
        path = f"/object/list/{self._bucket}"
        for offset in itertools.count(0, PAGE):
            ask = functools.partial(self._ask, "POST", path, json={**body, "offset": offset})
            objects = self._persist(ask).json()
            for one in objects:
                name, _, ending = one["name"].partition(".")
                if SHA256.fullmatch(name) and ending == ENDINGS[kind]:
                    found.append((name, dt.datetime.fromisoformat(one["updated_at"])))
            if len(objects) < PAGE:
                return found
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def prepare(self) -> None:
        """Make the bucket where it is missing; raises ArtifactError where it is public."""
        self._persist(self._open_bucket)

    def _open_bucket(self) -> None:
        if self._private:
            return
        try:
            found = self._ask("GET", f"/bucket/{self._bucket}").json()
        except ArtifactError as error:
            if error.code not in ("NoSuchBucket", "404"):
                raise
            found = self._create_bucket()
        if found["public"]:
            raise ArtifactError(
                f"the bucket {self._bucket} is public: anybody may read its files. Make it private (Storage, Edit "
                "bucket) or set TIPOFF_BUCKET to another name"
            )
        self._private = True

    def _create_bucket(self) -> dict[str, Any]:
        body = {"id": self._bucket, "name": self._bucket, "public": False, "file_size_limit": MAX_BYTES}
        try:
            self._ask("POST", "/bucket", json=body)
        except ArtifactError as error:  # another process was quicker
            if error.code not in ("BucketAlreadyExists", "409"):
                raise
        found: dict[str, Any] = self._ask("GET", f"/bucket/{self._bucket}").json()
        return found

    def _persist(self, work: Callable[[], Any]) -> Any:
        for attempt in range(1, self._attempts + 1):
            try:
                return work()
            except TransientArtifactError as error:
                if attempt == self._attempts:
                    raise TransientArtifactError(f"{error} ({attempt} attempts)", error.retry_after) from error
                wait = self._first_wait * 2 ** (attempt - 1) * (0.5 + random.random() / 2)  # noqa: S311
                self._sleep(max(wait, error.retry_after or 0.0))
        raise AssertionError("unreachable")

    def _ask(self, method: str, path: str, content: bytes | None = None, json: object = None) -> httpx.Response:
        headers = {"x-upsert": "true", "content-type": "application/octet-stream"} if content is not None else {}
        try:
            answer = self._client.request(method, path, content=content, json=json, headers=headers)
        except httpx.TransportError as error:
            raise TransientArtifactError(f"Supabase Storage: {type(error).__name__} at {path}") from error
        if answer.is_success:
            return answer
        code, message = _true_code(answer)
        said = f"Supabase Storage refused {method} {path}: {code}: {message}"
        status = answer.status_code
        if status == 429 or status >= 500 or code in ("SlowDown", "InternalError", "429", "500"):
            wait = answer.headers.get("retry-after", "")
            raise TransientArtifactError(said, float(wait) if wait.isdigit() else None)
        if code in ("AccessDenied", "InvalidJWT", "403", "401"):
            said += "; SUPABASE_SERVICE_ROLE_KEY must be the project's secret (sb_secret_...) or service_role key"
        refused = ArtifactError(said)
        refused.code = code
        raise refused


def _true_code(answer: httpx.Response) -> tuple[str, str]:
    """What really happened: the JSON's code, else its statusCode, else the HTTP status."""
    try:
        body = answer.json()
    except ValueError:
        return str(answer.status_code), answer.text[:200]
    if not isinstance(body, dict):
        return str(answer.status_code), str(body)[:200]
    code = body.get("code") or body.get("statusCode") or answer.status_code
    return str(code), str(body.get("message", ""))[:200]
