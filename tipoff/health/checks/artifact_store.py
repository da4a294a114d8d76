"""The check `artifact_store`: write, read back, compare; and the champion's own file."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from tipoff.errors import ArtifactError, TipoffError, TransientArtifactError
from tipoff.health.report import Checked
from tipoff.health.rules import beyond, error
from tipoff.health.settings import HealthSettings
from tipoff.storage.artifacts import ArtifactStore

CANARY = b'{"canary":"written and read back by the health check"}'


@dataclasses.dataclass(frozen=True, slots=True)
class StoreFacts:
    """Seconds of a round trip; why the store is away; what is wrong with the champion's file (None: nothing)."""

    seconds: float = 0.0
    away: str | None = None
    champion: str | None = None
    hung: bool = False


class StoreLook:
    """Tries the store out; the champion's files, which are bigger, are read anew every so often."""

    def __init__(self, open_store: Callable[[], AbstractContextManager[ArtifactStore]], every: float) -> None:
        self._open, self._every = open_store, every
        self._sound: tuple[str, float] | None = None

    def look(self, champion: str | None, *, whole: bool = False) -> StoreFacts:
        """`champion` is the sha256 of the document that must be there, with the state that it names."""
        if whole:
            self._sound = None
        begun = time.perf_counter()
        try:
            with self._open() as store:
                sha256 = store.put("document", CANARY)
                store.get("document", sha256)
                seconds = time.perf_counter() - begun
                return StoreFacts(seconds, None, self._champion(store, champion))
        except TipoffError as failure:
            return StoreFacts(time.perf_counter() - begun, str(failure))

    def _champion(self, store: ArtifactStore, sha256: str | None) -> str | None:
        """Raises TransientArtifactError where it is the store that fails."""
        now = time.monotonic()
        if sha256 is None or (self._sound and self._sound[0] == sha256 and now - self._sound[1] < self._every):
            return None
        self._sound = None
        try:
            state = json.loads(store.get("document", sha256)).get("state_sha256")
            if state is not None:
                store.get("state", state)
        except TransientArtifactError:
            raise
        except ArtifactError as failure:
            return str(failure)
        self._sound = sha256, now
        return None


def artifact_store(facts: StoreFacts, limits: HealthSettings) -> Checked:
    """Whether it can be written and read, and how long that takes."""
    if facts.away is not None:
        return Checked("", (error("store_away", f"the store of models does not work: {facts.away}"),))
    said = f"written and read back in {facts.seconds * 1000:.0f} ms"
    found = beyond("store_slow", facts.seconds, limits.pair("store_seconds"), f"the store of models is slow: {said}")
    return Checked(said, tuple(found), {"artifact_store_ms": round(facts.seconds * 1000, 1)})
