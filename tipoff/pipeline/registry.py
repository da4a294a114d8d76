"""A challenger's way: stored, read back, judged, written down, and activated if it passed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from tipoff.backtest.report import as_json
from tipoff.domain.match import Match
from tipoff.domain.progress import Progress, quiet
from tipoff.errors import ArtifactError, InputError, ModelFileError, TransientArtifactError
from tipoff.forecast.gate import Check, Verdict, judge
from tipoff.forecast.importance import importance
from tipoff.forecast.model import Model, read_model
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.state import FilterState
from tipoff.forecast.table import build_table, in_order
from tipoff.health.checks.artifact_store import CANARY
from tipoff.storage import models
from tipoff.storage.artifacts import ArtifactStore
from tipoff.storage.pool import Connection, Pool


@dataclasses.dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a challenger."""

    sha256: str
    version: int
    verdict: Verdict
    activated: bool


UNCLAIMED = dt.timedelta(days=1)
Landed = Callable[[Connection, Submitted], None]
Learned = Callable[[Params], FilterState]
"""what parameters learn from everything there is"""


def unheard(_connection: Connection, _submitted: Submitted) -> None:
    """Nobody wants to know."""


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What is asked beside the gate (the least accuracy), and who is told in the transaction that registers a model.

    `learned` is needed where the results it is judged on are only the last part of what it has learned.
    """

    performance_threshold: float = 0.0
    landed: Landed = unheard
    learned: Learned | None = None


def submit(
    pool: Pool, store: ArtifactStore, challenger: Model, known: Sequence[Match], now: dt.datetime,
    code_version: str, progress: Progress = quiet, terms: Terms = Terms(),
) -> Submitted:  # fmt: skip
    """Store, judge against the champion; then register, write the verdict down and activate what passed, at once.

    The model judged is the one read back from the store. A champion that changed meanwhile is judged against
    again. Raises ArtifactError when the store fails.
    """
    files = challenger.files()
    store.put("state", files.blob)
    store.put("document", files.text)
    known = in_order(known)
    worth: list[tuple[object, ...]] | None = None
    while True:
        with pool.connection() as connection:
            champion = models.active(connection)
        progress(0.3, "comparing with the champion")
        verdict = _demanding(
            _judged(store, files.sha256, champion, known, terms.learned), challenger, terms.performance_threshold
        )
        if verdict.passed and worth is None:
            progress(0.6, "measuring what each part is worth")
            worth = importance_rows(challenger, known)
        with pool.connection() as connection, connection.transaction():
            models.lock_champion(connection)
            if models.active(connection) != champion:
                continue
            models.register(connection, files.sha256, files.document, now, code_version, files.size)
            models.rule(connection, files.sha256, verdict.passed, verdict.reason, as_json(verdict))
            if verdict.passed:
                models.activate(connection, files.sha256, now)
                models.keep_importance(connection, files.sha256, worth or [])
            done = Submitted(files.sha256, models.find(connection, files.sha256).version, verdict, verdict.passed)
            terms.landed(connection, done)
        progress(1.0, f"model {done.version} {'forecasts now' if verdict.passed else 'was refused'}")
        return done


def _demanding(verdict: Verdict, challenger: Model, threshold: float) -> Verdict:
    """The verdict with one more check, where an accuracy was demanded."""
    if threshold <= 0:
        return verdict
    hit = challenger.measured["models"][0]["measures"]["hit"]["mean"]
    said = f"{hit:.1%} of the measured matches were called right, at least {threshold:.1%} were demanded"
    return dataclasses.replace(verdict, checks=[*verdict.checks, Check("performance", hit >= threshold, said)])


def read_stored(store: ArtifactStore, sha256: str) -> Model:
    """A model from the store, verified; raises ArtifactError or ModelFileError."""
    return read_model(store.get("document", sha256), lambda name: store.get("state", name))


def _judged(
    store: ArtifactStore, sha256: str, champion: tuple[str, dict[str, Any]] | None, known: Sequence[Match],
    learned: Learned | None,
) -> Verdict:  # fmt: skip
    try:
        challenger = read_stored(store, sha256)
    except TransientArtifactError:  # says nothing about the model
        raise
    except (ArtifactError, ModelFileError) as error:
        return Verdict([Check("readable", False, str(error))], {}, None, None, 0)
    rival = None if champion is None or champion[0] == sha256 else params_from_dict(champion[1]["params"])
    return judge(challenger, rival, known, learned(challenger.params) if learned else None)


def importance_rows(model: Model, known: Sequence[Match]) -> list[tuple[object, ...]]:
    """What leaving out each group of states costs over the days after the fit window, as it is stored."""
    until = dt.date.fromisoformat(model.fit["fitted_until"])
    begin = next((i for i, m in enumerate(known) if m.start.date() > until), len(known))
    matches = len(known) - begin
    return [
        (i.group, matches, *(end for e in (i.log_loss, i.margin_mae, i.total_mae) for end in (e.mean, e.low, e.high)))
        for i in importance(model.params, build_table(known), begin)
    ]


def prune(pool: Pool, store: ArtifactStore, keep: int, now: dt.datetime) -> list[models.Registered]:
    """Delete the files of all but the newest `keep` models and the champion; their rows stay.

    A state that a kept model shares stays too. Raises InputError when `keep` is below 1.
    """
    if keep < 1:
        raise InputError(f"--keep must be at least 1, got {keep}")
    with pool.connection() as connection, connection.transaction():
        models.lock_champion(connection)
        gone = models.prunable(connection, keep)
        for model in gone:
            models.mark_pruned(connection, model.sha256, now)
        kept = {m.document["state_sha256"] for m in models.listed(connection) if m.pruned_at is None}
    for model in gone:
        store.delete("document", model.sha256)
        if model.document["state_sha256"] not in kept:
            store.delete("state", model.document["state_sha256"])
    return gone


def sweep(pool: Pool, store: ArtifactStore, now: dt.datetime) -> int:
    """Delete files that no model names, left by what was cut short: a training, a pruning, an import.

    Those of the last day stay: a training stores files before it registers their model.
    """
    with pool.connection() as connection:
        models_with_files = [m for m in models.listed(connection) if m.pruned_at is None]
    kept = {
        "document": {m.sha256 for m in models_with_files} | {hashlib.sha256(CANARY).hexdigest()},
        "state": {m.document["state_sha256"] for m in models_with_files},
    }
    left = [
        (kind, sha256)
        for kind, known in kept.items()
        for sha256, at in store.listed(kind)
        if sha256 not in known and at < now - UNCLAIMED
    ]
    for kind, sha256 in left:
        store.delete(kind, sha256)
    return len(left)
