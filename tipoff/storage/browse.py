"""Matches and fixtures as people look at them: filtered, a page at a time, and one of them whole.

Queries are put together from constants; what people typed is always a parameter. Each branch walks an index that
begins with its filter and goes on with the order of the page.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import zlib
from typing import Any, Literal

from tipoff.storage.pool import Connection

PLAYED = (
    "external_id, start_at, player_a, player_b, team_a, team_b, stream, status, score_a, score_b, last_observed_at"
)
BOOKED = (
    "external_id, start_at, player_a, player_b, team_a, team_b, stream, status, null::integer, null::integer, "
    "last_seen_at"
)
FOUND = (
    "(strpos(player_a, %(upper)s) > 0 or strpos(player_b, %(upper)s) > 0 "
    "or strpos(upper(team_a), upper(%(search)s)) > 0 or strpos(upper(team_b), upper(%(search)s)) > 0)"
)
"""players' names are in upper case already, also where Postgres knows only that of ASCII"""
Row = tuple[Any, ...]
Place = tuple[dt.datetime, str]
"""(start, external id) of the last row of a page"""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Filters; with a player and a team, the player used that team. `since` is included, `until` is not.

    `search` is a part of a player's or a team's name, in any case.
    """

    player: str | None = None
    team: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    status: str | None = None
    stream: str | None = None
    search: str | None = None


def played(connection: Connection, wanted: Wanted, limit: int, before: Place | None) -> list[Row]:
    """Matches that are over, newest first; rows of PLAYED."""
    return _page(connection, f"select {PLAYED} from matches", wanted, limit, before, "desc")


def booked(
    connection: Connection, wanted: Wanted, limit: int, after: Place | None, order: Literal["asc", "desc"] = "asc"
) -> list[Row]:
    """Fixtures in order of start; rows of BOOKED."""
    return _page(connection, f"select {BOOKED} from upcoming_matches", wanted, limit, after, order)


def _page(
    connection: Connection, select: str, wanted: Wanted, limit: int, place: Place | None, order: str
) -> list[Row]:
    beyond = "<" if order == "desc" else ">"
    conditions = [
        text
        for text, used in (
            ("status = %(status)s", wanted.status is not None),
            ("start_at >= %(since)s", wanted.since is not None),
            ("start_at < %(until)s", wanted.until is not None),
            ("stream = %(stream)s", wanted.stream is not None),
            (FOUND, wanted.search is not None),
            (f"(start_at, external_id) {beyond} (%(at)s, %(id)s)", place is not None),
        )
        if used
    ]
    by = f"order by start_at {order}, external_id {order} limit %(limit)s"
    branches = []
    for side in ("a", "b") if wanted.player is not None or wanted.team is not None else ("",):
        mine = [
            text
            for text, used in (
                (f"player_{side} = %(player)s", wanted.player is not None),
                (f"team_{side} = %(team)s", wanted.team is not None),
            )
            if used
        ]
        where = " and ".join([*mine, *conditions]) or "true"
        branches.append(f"({select} where {where} {by})")
    values = {
        **dataclasses.asdict(wanted), "upper": (wanted.search or "").upper(), "limit": limit,
        "at": place[0] if place else None,
        "id": place[1] if place else None,
    }  # fmt: skip
    query = f"select * from ({' union '.join(branches)}) as found {by}"
    return connection.execute(query.encode(), values).fetchall()


def streams_ahead(connection: Connection, since: dt.datetime, most: int) -> dict[str | None, int]:
    """How many of the next `most` scheduled fixtures each stream shows."""
    rows = connection.execute(
        """
        select stream, count(*) from (
          select stream from upcoming_matches where status = 'scheduled' and start_at >= %s
          order by start_at, external_id limit %s
        ) as ahead group by stream order by stream
        """,
        (since, most),
    ).fetchall()
    return {row[0]: int(row[1]) for row in rows}


def one(connection: Connection, external_id: str) -> Row | None:
    """The match that is over, or else the fixture, with that id."""
    for select in (f"select {PLAYED} from matches", f"select {BOOKED} from upcoming_matches"):
        row = connection.execute(f"{select} where external_id = %s".encode(), (external_id,)).fetchone()
        if row is not None:
            return row
    return None


def between(connection: Connection, one: str, other: str, limit: int) -> list[Row]:
    """The last final matches of these two against each other, newest first."""
    branches = " union all ".join(
        f"(select {PLAYED} from matches where player_a = %({a})s and player_b = %({b})s and status = 'final' "
        "order by start_at desc limit %(limit)s)"
        for a, b in (("one", "other"), ("other", "one"))
    )
    query = f"select * from ({branches}) as met order by start_at desc, external_id limit %(limit)s"
    return connection.execute(query.encode(), {"one": one, "other": other, "limit": limit}).fetchall()


def seals(connection: Connection, external_ids: list[str]) -> list[Row]:
    """Sealed forecasts of these matches, each with its newest grade, in the order they were sealed.

    Rows of (external_id, seq, hash, horizon, start_at, sealed_at, model, p_a, margin mean and sd, total mean and sd,
    row number of the grade, the grade's body).
    """
    return connection.execute(
        """
        select p.external_id, p.ledger_seq, l.hash, p.horizon, p.start_at, p.sealed_at, p.model_sha256, p.p_a,
          p.margin_mean, p.margin_sd, p.total_mean, p.total_sd, g.seq, (g.content::jsonb) -> 'body'
        from match_predictions p join ledger l on l.seq = p.ledger_seq
        left join lateral (
          select seq, content from ledger where kind = 'grade' and grades = p.ledger_seq order by seq desc limit 1
        ) g on true
        where p.external_id = any(%s) order by p.ledger_seq
        """,
        (external_ids,),
    ).fetchall()


def newest_seal(connection: Connection) -> dt.datetime | None:
    """When a forecast was sealed last."""
    row = connection.execute("select sealed_at from match_predictions order by ledger_seq desc limit 1").fetchone()
    return None if row is None else row[0]


def history(connection: Connection, external_id: str) -> list[Row]:
    """How a result became known: (observed_at, status, score_a, score_b, start_at) of each arrival, oldest first."""
    return connection.execute(
        "select observed_at, status, score_a, score_b, start_at from match_arrivals where external_id = %s "
        "order by arrival_id limit 100",
        (external_id,),
    ).fetchall()


def raw(connection: Connection, external_id: str) -> tuple[str, str, dt.datetime, bytes] | None:
    """(source, dialect, when, body) of the payload that the newest arrival of a match was read from."""
    row = connection.execute(
        """
        select r.source, r.dialect, r.last_fetched_at, r.body from raw_payloads r
        where r.id = (select payload_id from match_arrivals where external_id = %s order by arrival_id desc limit 1)
        """,
        (external_id,),
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2], zlib.decompress(row[3]))
