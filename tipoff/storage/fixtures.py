"""Matches not yet played; one that vanishes upstream is withdrawn, never deleted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from tipoff.domain.match import Fixture
from tipoff.storage.pool import Connection

NO_RESULT_AFTER = dt.timedelta(hours=3)


def see(connection: Connection, seen_at: dt.datetime, fixtures: Sequence[Fixture]) -> None:
    """Know these fixtures as of `seen_at`; one that was withdrawn and is back is scheduled again."""
    connection.execute(
        """
        create temp table shown on commit drop as
        select external_id, start_at, player_a, player_b, team_a, team_b, stream from upcoming_matches with no data
        """
    )
    with connection.cursor().copy(
        "copy shown (external_id, start_at, player_a, player_b, team_a, team_b, stream) from stdin"
    ) as copy:
        for f in fixtures:
            copy.write_row((f.external_id, f.start, f.player_a, f.player_b, f.team_a, f.team_b, f.stream))
    connection.execute(
        """
        insert into upcoming_matches as u (external_id, start_at, player_a, player_b, team_a, team_b, stream,
          status, first_seen_at, last_seen_at)
        select external_id, start_at, player_a, player_b, team_a, team_b, stream, 'scheduled', %(at)s, %(at)s
        from shown s where not exists (select 1 from matches m where m.external_id = s.external_id)
        on conflict (external_id) do update set
          start_at = excluded.start_at, player_a = excluded.player_a, player_b = excluded.player_b,
          team_a = excluded.team_a, team_b = excluded.team_b, stream = excluded.stream,
          status = 'scheduled', withdrawn_at = null, withdrawn_because = null,
          last_seen_at = excluded.last_seen_at
        where u.last_seen_at <= excluded.last_seen_at and u.status <> 'played'
        """,
        {"at": seen_at},
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


def withdraw(
    connection: Connection, day: dt.date, seen_at: dt.datetime, shown: Sequence[Fixture], refused: Sequence[str],
    ended_until: dt.datetime | None,
) -> int:  # fmt: skip
    """After a payload for `day` that could be read to its end: withdraw what vanished; returns how many.

    A fixture vanished when it lies between `seen_at` and the furthest fixture shown but is neither shown nor
    among the ids of rows that were `refused`. One with no result is given up three hours after its start,
    once later matches (`ended_until`) have results.
    """
    begin = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    cursor = connection.execute(
        """
        update upcoming_matches set status = 'withdrawn', withdrawn_at = %(at)s,
          withdrawn_because = case when start_at > %(at)s then 'vanished' else 'no_result' end
        where status = 'scheduled' and start_at >= %(begin)s and start_at < %(begin)s + interval '24 hours'
          and last_seen_at < %(at)s and external_id <> all(%(refused)s)
          and ((start_at > %(at)s and start_at <= %(furthest)s)
            or (start_at < %(given_up)s and start_at < %(ended_until)s))
        """,
        {
            "at": seen_at,
            "refused": list(refused), "begin": begin, "given_up": seen_at - NO_RESULT_AFTER,
            "furthest": max((f.start for f in shown), default=None), "ended_until": ended_until,
        },
    )  # fmt: skip
    return cursor.rowcount


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
