"""Results: what is believed now, and the append-only log of how it became known."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from tipoff.domain.match import Fixture, Match, MatchStatus
from tipoff.storage.pool import Connection

COLUMNS = "external_id, start_at, player_a, player_b, team_a, team_b, stream, status, score_a, score_b"
RESULTS = f"""
    select {COLUMNS} from matches where status = 'final' and older <= %(older)s
    order by start_at, external_id collate "C"
"""
NEWER = "({now}.older, {before}.last_observed_at) <= ({before}.older, {now}.last_observed_at)"
"""whose word counts: that of the league's own feed, then the newest"""
INGEST_LOCK = 7_204_020
PART = 20_000
"""rows that are read at a time where a history may be long"""


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """One entry of the log: a result that was new, or had changed (not `first`), when it was observed."""

    arrival_id: int
    observed_at: dt.datetime
    first: bool
    match: Match


def lock_for_ingest(connection: Connection) -> None:
    """One writer at a time, until the transaction ends: arrivals get their numbers in commit order."""
    connection.execute("select pg_advisory_xact_lock(%s)", (INGEST_LOCK,))


def name_players(connection: Connection, fixtures: Sequence[Fixture]) -> None:
    """Know everybody named in `fixtures`, in one statement."""
    names = [name for f in fixtures for name in (f.player_a, f.player_b)]
    times = [f.start for f in fixtures for _ in range(2)]
    connection.execute(
        """
        insert into players as p (name, first_seen_at, last_seen_at)
        select name, min(at), max(at) from unnest(%s::text[], %s::timestamptz[]) as t (name, at) group by name
        on conflict (name) do update
          set first_seen_at = least(p.first_seen_at, excluded.first_seen_at),
              last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at)
          where p.first_seen_at > excluded.first_seen_at or p.last_seen_at < excluded.last_seen_at
        """,
        (names, times),
    )


def record(
    connection: Connection,
    observed: Sequence[tuple[int, dt.datetime, Sequence[Match]]],
    older: Container[int] = frozenset(),
) -> dict[int, tuple[int, int]]:
    """Log results that are new or changed and believe them; how many were (new, changed) by payload.

    `observed` is (payload id, when, results) of payloads in the order they were fetched, none of which speaks of a
    match that another one speaks of. A payload older than the last observation of a match changes nothing about it,
    nor do payloads of `older` results (their ids) change what any other has told.
    """
    connection.execute(
        "create temp table incoming (like matches including defaults, payload_id bigint, place integer) "
        "on commit drop"
    )
    with connection.cursor().copy(
        f"copy incoming ({COLUMNS}, first_observed_at, last_observed_at, older, payload_id, place) from stdin"
    ) as copy:
        for place, (payload_id, at, matches) in enumerate(observed):
            for m in matches:
                copy.write_row((*_row(m), at, at, payload_id in older, payload_id, place))
    rows = connection.execute(
        f"""
        with news as (
          select i.*, m.external_id is not null as changed
          from incoming i left join matches m using (external_id)
          where m.external_id is null or (
            {NEWER.format(before="m", now="i")} and
            (m.start_at, m.player_a, m.player_b, m.team_a, m.team_b, m.stream, m.status, m.score_a, m.score_b,
            m.older) is distinct from
            (i.start_at, i.player_a, i.player_b, i.team_a, i.team_b, i.stream, i.status, i.score_a, i.score_b,
            i.older))
        ), logged as (
          insert into match_arrivals (observed_at, payload_id, older, {COLUMNS})
          select last_observed_at, payload_id, older, {COLUMNS} from news order by place, start_at, external_id
        )
        select payload_id, count(*) filter (where not changed), count(*) filter (where changed) from news
        group by payload_id
        """
    ).fetchall()
    connection.execute(
        f"""
        insert into matches as m ({COLUMNS}, first_observed_at, last_observed_at, older)
        select {COLUMNS}, first_observed_at, last_observed_at, older from incoming
        on conflict (external_id) do update set
          start_at = excluded.start_at, player_a = excluded.player_a, player_b = excluded.player_b,
          team_a = excluded.team_a, team_b = excluded.team_b, stream = excluded.stream,
          status = excluded.status, score_a = excluded.score_a, score_b = excluded.score_b,
          last_observed_at = excluded.last_observed_at, older = excluded.older,
          revision = m.revision + case when
            (m.start_at, m.player_a, m.player_b, m.team_a, m.team_b, m.stream, m.status, m.score_a, m.score_b)
            is distinct from (excluded.start_at, excluded.player_a, excluded.player_b, excluded.team_a,
            excluded.team_b, excluded.stream, excluded.status, excluded.score_a, excluded.score_b)
            then 1 else 0 end
        where {NEWER.format(before="m", now="excluded")}
        """
    )
    connection.execute("drop table incoming")
    return {int(row[0]): (int(row[1]), int(row[2])) for row in rows}


def results(connection: Connection, older: bool = False) -> list[Match]:
    """Every final match as believed now, in order of (start, external id); `older` ones too if asked."""
    rows = connection.execute(RESULTS.encode(), {"older": older}).fetchall()
    return _matches(rows)


def results_in_parts(connection: Connection, older: bool = False) -> Iterator[list[Match]]:
    """As `results`, a part at a time; inside the caller's transaction."""
    for rows in _parts(connection, RESULTS, {"older": older}):
        yield _matches(rows)


@dataclasses.dataclass(frozen=True, slots=True)
class Older:
    """Final matches that only tipoff history fetch has told of, and the UTC days they began on."""

    results: int
    days: int
    first: dt.date | None
    last: dt.date | None


def older(connection: Connection) -> Older:
    """What there is of older results."""
    [row] = connection.execute(
        """
        select count(*), count(distinct day), min(day), max(day)
        from (select (start_at at time zone 'UTC')::date as day from matches where older and status = 'final') as o
        """
    ).fetchall()
    return Older(*row)


def results_as_of(
    connection: Connection,
    arrival_id: int,
    until: dt.datetime,
    since: dt.datetime | None = None,
    older: bool = False,
) -> Iterator[list[Match]]:
    """Final matches as believed after that entry of the log, that began after `since` and not after `until`.

    In order of (start, external id), a part at a time; whatever arrives meanwhile, the answer stays the same.
    """
    query = f"""
        select {COLUMNS} from (
          select distinct on (external_id) {COLUMNS}, older from match_arrivals where arrival_id <= %(last)s
          order by external_id, arrival_id desc
        ) as told
        where status = 'final' and older <= %(older)s and start_at <= %(until)s
          and (%(since)s::timestamptz is null or start_at > %(since)s)
        order by start_at, external_id collate "C"
    """
    for rows in _parts(connection, query, {"last": arrival_id, "until": until, "since": since, "older": older}):
        yield _matches(rows)


def _parts(connection: Connection, query: str, values: dict[str, Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows a part at a time, through a cursor of the server's in the caller's transaction."""
    with connection.cursor(name="parts") as cursor:
        cursor.execute(query.encode(), values)
        while rows := cursor.fetchmany(PART):
            yield rows
            if len(rows) < PART:
                break


def _matches(rows: Iterable[Sequence[Any]]) -> list[Match]:
    """Matches that share the names they have in common, which takes a third of the memory."""
    names: dict[Any, Any] = {}
    return [match_of([names.setdefault(v, v) if isinstance(v, str) else v for v in row]) for row in rows]


def believed(connection: Connection, older: bool = False) -> list[Match]:
    """Every match that is over as believed now, void and cancelled ones too, in order of (start, external id)."""
    rows = connection.execute(
        f'select {COLUMNS} from matches where older <= %s order by start_at, external_id collate "C"'.encode(),
        (older,),
    ).fetchall()
    return [match_of(row) for row in rows]


def between(connection: Connection, one: str, other: str) -> list[Match]:
    """Final matches of these two against each other, oldest first."""
    rows = connection.execute(
        f"select {COLUMNS} from matches where status = 'final' and ((player_a = %(one)s and player_b = %(other)s) "
        "or (player_a = %(other)s and player_b = %(one)s)) order by start_at",
        {"one": one, "other": other},
    ).fetchall()
    return [match_of(row) for row in rows]


def arrivals_after(connection: Connection, arrival_id: int, older: bool = False) -> Iterator[list[Arrival]]:
    """The log after that entry, in order, a part at a time; entries on `older` results are as if not there."""
    query = f"""
        select arrival_id, observed_at, not exists (
          select 1 from match_arrivals e where e.external_id = a.external_id and e.arrival_id < a.arrival_id
            and e.older <= %(older)s
        ), {COLUMNS}
        from match_arrivals a where arrival_id > %(after)s and a.older <= %(older)s order by arrival_id
    """
    for rows in _parts(connection, query, {"after": arrival_id, "older": older}):
        told = _matches(row[3:] for row in rows)
        yield [Arrival(int(row[0]), row[1], row[2], match) for row, match in zip(rows, told, strict=True)]


def last_arrival_id(connection: Connection) -> int:
    """Number of the newest entry of the log, 0 when it is empty."""
    row = connection.execute("select coalesce(max(arrival_id), 0) from match_arrivals").fetchone()
    return int(row[0]) if row else 0


def _row(m: Match) -> tuple[object, ...]:
    return (
        m.external_id, m.start, m.player_a, m.player_b, m.team_a, m.team_b, m.stream, m.status.value,
        m.score_a, m.score_b,
    )  # fmt: skip


def match_of(row: Sequence[Any]) -> Match:
    """The match of a row of COLUMNS."""
    external_id, start, player_a, player_b, team_a, team_b, stream, status, a, b = row
    return Match(external_id, start, player_a, player_b, team_a, team_b, stream, MatchStatus(status), a, b)
