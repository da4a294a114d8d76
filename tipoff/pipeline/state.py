"""The live filter: brought up to date arrival by arrival, equal to a replay of the whole log."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence

from tipoff.domain.match import Match, MatchStatus
from tipoff.errors import ConflictError, InputError, ModelFileError
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.state import FilterState, state_after, state_after_parts
from tipoff.forecast.table import in_order
from tipoff.storage import matches, models
from tipoff.storage.matches import Arrival
from tipoff.storage.pool import Pool

NOTHING = "0" * 64
"""the fingerprint of an empty log"""
ON_TOP = 50_000
"""new results in a row that are learned on top; after more than that, everything is learned afresh"""


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """A filter that knows everything up to `last_arrival_id`; `rebuilt` when it had to start afresh.

    `data_sha256` is chained over the log of arrivals: the fingerprint of all it was told, in order.
    """

    model: str
    state: FilterState
    last_arrival_id: int
    data_sha256: str
    rebuilt: bool


def bring_up_to_date(pool: Pool, now: dt.datetime, older: bool = False) -> Live:
    """Load the active model's filter, learn what has arrived since, and store it.

    The state is a function of the set of results believed, learned in order of (start, external id): new
    results that sort last are learned on top; after a late or corrected one everything is learned afresh. `older`
    results belong to that set where they are asked for; a stored state that was asked otherwise is learned afresh.
    Another process that stores first wins; then this one loads again. Raises InputError without a model.
    """
    for _ in range(5):
        try:
            return _once(pool, now, older)
        except ConflictError:
            continue
    return _once(pool, now, older)


def _once(pool: Pool, now: dt.datetime, older: bool) -> Live:
    with pool.connection() as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        active = models.active(connection)
        if active is None:
            raise InputError("no model has been trained yet: run tipoff fetch, then tipoff train")
        sha256, document = active
        stored = models.load_state(connection, sha256)
        base = stored if stored is not None and stored.data_sha256 and stored.older == older else None
        state = _stored_state(base)
        fresh: list[Match] | None = [] if state is not None else None
        before = base.last_arrival_id if base else 0
        data = base.data_sha256 if base else NOTHING
        last = matches.last_arrival_id(connection)
        for arrivals in matches.arrivals_after(connection, before, older):
            data = chained(data, arrivals)
            more = _in_sequence(state, arrivals) if state is not None and fresh is not None else None
            fresh = None if more is None or fresh is None or len(fresh) > ON_TOP else [*fresh, *more]
        if state is not None and fresh is not None:
            state.learn(in_order(fresh))
        else:
            params = params_from_dict(document["params"])
            state = state_after_parts(params, matches.results_in_parts(connection, older))
    if last != before or base is None:
        new = models.StoredState(0, last, data, state.to_bytes(), older)
        with pool.connection() as connection:
            models.save_state(connection, sha256, stored, new, state.matches, now)
    return Live(sha256, state, last, data, rebuilt=fresh is None)


def chained(data_sha256: str, arrivals: Iterable[Arrival]) -> str:
    """The fingerprint after these entries of the log: SHA-256 over the one before and the entry, each in turn."""
    for a in arrivals:
        m = a.match
        line = json.dumps(
            [a.arrival_id, a.observed_at.isoformat(), m.external_id, m.start.isoformat(), m.player_a, m.player_b,
             m.team_a, m.team_b, m.stream, m.status.value, m.score_a, m.score_b]
        )  # fmt: skip
        data_sha256 = hashlib.sha256(f"{data_sha256}\n{line}".encode()).hexdigest()
    return data_sha256


def _stored_state(stored: models.StoredState | None) -> FilterState | None:
    """The stored filter; None (so that it is learned afresh) where there is none or it cannot be read."""
    if stored is None:
        return None
    try:
        return FilterState.from_bytes(stored.blob)
    except ModelFileError:
        return None


def _in_sequence(state: FilterState, arrivals: Sequence[Arrival]) -> list[Match] | None:
    """The arrivals to learn on top of `state`; None when one is a correction or sorts earlier."""
    if not all(arrival.first and state.follows(arrival.match) for arrival in arrivals):
        return None
    return [a.match for a in arrivals if a.match.status is MatchStatus.FINAL]


def replay(params: Params, arrivals: Iterable[Arrival]) -> Iterator[tuple[Arrival, FilterState]]:
    """The state after each entry of the log, learned from nothing by nothing but the log's contents."""
    believed: dict[str, Match] = {}
    for arrival in arrivals:
        believed[arrival.match.external_id] = arrival.match
        finals = [m for m in believed.values() if m.status is MatchStatus.FINAL]
        yield arrival, state_after(params, finals)
