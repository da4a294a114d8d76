"""What the champion's filter knows now, kept in this process until its row changes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading

from tipoff.api.problems import ProblemError
from tipoff.errors import ModelFileError
from tipoff.forecast.known import KnownState
from tipoff.storage import models
from tipoff.storage.pool import Connection


@dataclasses.dataclass(frozen=True, slots=True)
class Newest:
    """The state, which model's it is, and when it learned last."""

    state: KnownState
    version: int
    sha256: str
    revision: int
    learned_at: dt.datetime


class NewestState:
    """Loads the newest row of `filter_states` when it is another one than the one at hand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Newest | None = None

    def get(self, connection: Connection) -> Newest:
        """The newest; raises ProblemError (404) where nothing forecasts yet."""
        found = self.find(connection)
        if found is None:
            raise ProblemError(404, "nothing is forecast yet: no model has passed the gate and learned from results")
        return found

    def find(self, connection: Connection) -> Newest | None:
        """The newest; None where nothing forecasts yet. Raises ProblemError (503) where it cannot be read."""
        found = models.newest_state(connection)
        if found is None:
            return None
        sha256, version, revision, learned_at = found
        with self._lock:
            known = self._known
            if known is not None and (known.sha256, known.revision) == (sha256, revision):
                return known
            stored = models.load_state(connection, sha256)
            if stored is None:
                return None
            try:
                state = KnownState.from_bytes(stored.blob)
            except ModelFileError as error:
                raise ProblemError(
                    503, "the model's state cannot be read by this version: the next job learns it anew",
                    headers={"Retry-After": "30"},
                ) from error  # fmt: skip
            self._known = Newest(state, version, sha256, stored.revision, learned_at)
            return self._known
