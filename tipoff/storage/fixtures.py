"""Matches not yet played; one that vanishes upstream is withdrawn, never deleted."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from tipoff.domain.match import Fixture
from tipoff.storage.pool import Connection

NO_RESULT_AFTER = dt.timedelta(hours=3)


def see(connection: Connection, seen: Sequence[tuple[dt.datetime, Sequence[Fixture]]]) -> None:
    """Know these fixtures, each as of when it was seen; one that was withdrawn and is back is scheduled again."""
    connection.execute(
        """
        create temp table shown on commit drop as
        select external_id, start_at, player_a, player_b, team_a, team_b, stream, last_seen_at from upcoming_matches
        with no data
        """
    )
    with connection.cursor().copy(
        "copy shown (external_id, start_at, player_a, player_b, team_a, team_b, stream, last_seen_at) from stdin"
    ) as copy:
        for at, fixtures in seen:
            for f in fixtures:
                copy.write_row((f.external_id, f.start, f.player_a, f.player_b, f.team_a, f.team_b, f.stream, at))
    connection.execute(
        """
        insert into upcoming_matches as u (external_id, start_at, player_a, player_b, team_a, team_b, stream,
          status, first_seen_at, last_seen_at)
        select external_id, start_at, player_a, player_b, team_a, team_b, stream, 'scheduled', last_seen_at,
          last_seen_at
        from shown s where not exists (select 1 from matches m where m.external_id = s.external_id)
        on conflict (external_id) do update set
          start_at = excluded.start_at, player_a = excluded.player_a, player_b = excluded.player_b,
          team_a = excluded.team_a, team_b = excluded.team_b, stream = excluded.stream,
          status = 'scheduled', withdrawn_at = null, withdrawn_because = null,
          last_seen_at = excluded.last_seen_at
        where u.last_seen_at <= excluded.last_seen_at and u.status <> 'played'
        """
    )
    connection.execute("drop table shown")


def mark_played(connection: Connection) -> None:
    """Fixtures that have become matches are played."""
    connection.execute(
        """
        update upcoming_matches u set status = 'played', withdrawn_at = null, withdrawn_because = null
        from matches m where m.external_id = u.external_id and u.status <> 'played'
        """
    )


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What a payload for `day` that could be read to its end showed at `seen_at`."""

    day: dt.date
    seen_at: dt.datetime
    furthest: dt.datetime | None
    """start of the furthest fixture shown"""
    ended_until: dt.datetime | None
    """start of the latest match with a result"""


def withdraw(connection: Connection, views: Sequence[View], refused: Sequence[str]) -> int:
    """Withdraw what vanished from views of different days; returns how many.

    A fixture vanished when it lies between `seen_at` and the furthest fixture shown but is neither shown nor
    among the ids of rows that were `refused`. One with no result is given up three hours after its start,
    once later matches (`ended_until`) have results.
    """
    return connection.execute(
        """
        update upcoming_matches u set status = 'withdrawn', withdrawn_at = v.at,
          withdrawn_because = case when u.start_at > v.at then 'vanished' else 'no_result' end
        from unnest(%(days)s::date[], %(at)s::timestamptz[], %(furthest)s::timestamptz[], %(ended)s::timestamptz[])
          as v (day, at, furthest, ended_until)
        where u.status = 'scheduled' and u.start_at >= v.day::timestamp at time zone 'UTC'
          and u.start_at < v.day::timestamp at time zone 'UTC' + interval '24 hours'
          and u.last_seen_at < v.at and u.external_id <> all(%(refused)s)
          and ((u.start_at > v.at and u.start_at <= v.furthest)
            or (u.start_at < v.at - %(give_up)s and u.start_at < v.ended_until))
        """,
        {
            "days": [v.day for v in views], "at": [v.seen_at for v in views],
            "furthest": [v.furthest for v in views], "ended": [v.ended_until for v in views],
            "refused": list(refused), "give_up": NO_RESULT_AFTER,
        },
    ).rowcount  # fmt: skip


def scheduled_after(connection: Connection, now: dt.datetime) -> list[Fixture]:
    """Fixtures that start after `now`, soonest first."""
    rows = connection.execute(
        """
        select external_id, start_at, player_a, player_b, team_a, team_b, stream from upcoming_matches
        where status = 'scheduled' and start_at > %s order by start_at, external_id
        """,
        (now,),
    ).fetchall()
    return [Fixture(*row) for row in rows]
