"""What can be followed, and how its rows are read: the whole of a topic, or some of its rows."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from tipoff.api.backend import Backend
from tipoff.api.forecasts import forecasts, seals
from tipoff.api.jobs.routes import detail, row_of
from tipoff.api.live.schemas import LiveRow, PredictionState
from tipoff.api.matches.routes import fixture_of, match_row
from tipoff.api.matches.schemas import MatchStatus
from tipoff.api.problems import ProblemError
from tipoff.storage import live, overview
from tipoff.storage.pool import Connection

JOBS, MATCHES, PREDICTIONS = "jobs", "matches", "predictions"
EVERY = (JOBS, MATCHES, PREDICTIONS)
ONE_JOB = "jobs/"
MOST = 20
"""topics of one stream"""
SAID = f"topics are {', '.join(EVERY)} and jobs/<job id>, up to {MOST} of them"


def topics_in(text: str) -> list[str]:
    """Topics between commas; raises ProblemError (422) where one is none."""
    named = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    strange = [name[:50] for name in named if not is_topic(name)]
    if strange or not named:
        raise ProblemError(422, f"{', '.join(strange[:5]) or 'topics'}: {SAID}", [("topics", SAID)])
    check_number(named)
    return named


def check_number(named: Collection[str]) -> None:
    """Raise ProblemError (422) where these are too many for a stream."""
    if len(named) > MOST:
        raise ProblemError(422, f"topics: {SAID}", [("topics", SAID)])


def is_topic(name: str) -> bool:
    """Whether that can be followed."""
    if not name.startswith(ONE_JOB):
        return name in EVERY
    try:
        return str(uuid.UUID(name.removeprefix(ONE_JOB))) == name.removeprefix(ONE_JOB)
    except ValueError:
        return False


def touched(change: live.Change, followed: Sequence[str]) -> dict[str, set[str] | None]:
    """Which of the topics that are followed a change is about, and with which ids (None: read it anew)."""
    ids = None if change.ids is None else set(change.ids)
    if change.topic == JOBS:
        ones = [(topic, topic.removeprefix(ONE_JOB)) for topic in followed if topic.startswith(ONE_JOB)]
        found: dict[str, set[str] | None] = {topic: {one} for topic, one in ones if ids is None or one in ids}
        return {**found, **({JOBS: ids} if JOBS in followed else {})}
    about = (MATCHES, PREDICTIONS) if change.topic == MATCHES else (change.topic,)
    return {topic: ids for topic in about if topic in followed}


def whole(backend: Backend, connection: Connection, topic: str) -> list[LiveRow]:
    """The rows that a topic shows to begin with."""
    if topic == JOBS:
        return some(backend, connection, topic, [str(found) for found in live.newest_jobs(connection)])
    if topic == MATCHES:
        ids = [*live.newest_results(connection), *live.current_fixtures(connection)]
        return some(backend, connection, topic, ids)
    if topic == PREDICTIONS:
        return some(backend, connection, topic, live.current_fixtures(connection))
    return some(backend, connection, topic, [topic.removeprefix(ONE_JOB)])


def some(backend: Backend, connection: Connection, topic: str, ids: Sequence[str]) -> list[LiveRow]:
    """These rows of a topic, but for those that are not there."""
    if topic == PREDICTIONS:
        return _predictions(backend, connection, ids)
    if topic == MATCHES:
        rows = [(revision, match_row(row)) for revision, row in live.matches(connection, ids)]
        return [LiveRow(id=row.external_id, revision=revision, row=row) for revision, row in rows]
    found = live.jobs(connection, [uuid.UUID(one) for one in ids])
    whole_job = topic != JOBS
    return [
        LiveRow(id=str(job.id), revision=revision, row=detail(connection, job.id) if whole_job else row_of(job))
        for revision, job in found
    ]


def _predictions(backend: Backend, connection: Connection, ids: Sequence[str]) -> list[LiveRow]:
    """Revisions add what can change a row: the match, what is forecast, and the rows of the ledger about it."""
    rows = [(revision, match_row(row)) for revision, row in live.matches(connection, ids)]
    now = overview.now(connection)
    try:
        newest = backend.newest.find(connection)
    except ProblemError:  # a state of another version: matches and seals are told all the same
        newest = None
    said, learned = {}, live.forecast_revision(connection)
    if newest is not None:
        ahead = [fixture_of(row) for _, row in rows if row.status is MatchStatus.SCHEDULED and row.start > now]
        made = forecasts(newest.state, ahead)
        said = {fixture.external_id: forecast for fixture, (_, forecast) in zip(ahead, made, strict=True)}
    sealed = seals(connection, ids)
    items = []
    for revision, row in rows:
        mine = sealed[row.external_id]
        newest_row = max((max(one.row, one.grade.row if one.grade else 0) for one in mine), default=0)
        state = PredictionState(**row.model_dump(), forecast=said.get(row.external_id), seals=mine)
        items.append(LiveRow(id=row.external_id, revision=revision + learned + newest_row, row=state))
    return items
