"""Players' careers, records of teams, and counts for `tipoff db status`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from tipoff.storage.pool import Connection

COUNTED = (
    "raw_payloads",
    "quarantine",
    "players",
    "matches",
    "match_arrivals",
    "upcoming_matches",
    "model_registry",
)


def refresh(connection: Connection, now: dt.datetime, strengths: Sequence[tuple[str, float, float]]) -> int:
    """Recompute every career from final matches, with (name, strength, deviation) in points; how many there are."""
    return connection.execute(
        """
        insert into player_stats (player, matches, wins, points_for, points_against, first_match_at,
          last_match_at, strength, strength_sd, updated_at)
        select c.player, count(*), count(*) filter (where c.mine > c.theirs), sum(c.mine), sum(c.theirs),
          min(c.start_at), max(c.start_at), max(s.strength), max(s.sd), %s
        from (
          select player_a as player, score_a as mine, score_b as theirs, start_at from matches
            where status = 'final'
          union all
          select player_b, score_b, score_a, start_at from matches where status = 'final'
        ) c
        left join unnest(%s::text[], %s::float8[], %s::float8[]) as s (player, strength, sd) using (player)
        group by c.player
        on conflict (player) do update set matches = excluded.matches, wins = excluded.wins,
          points_for = excluded.points_for, points_against = excluded.points_against,
          first_match_at = excluded.first_match_at, last_match_at = excluded.last_match_at,
          strength = excluded.strength, strength_sd = excluded.strength_sd, updated_at = excluded.updated_at
        """,
        (now, [s[0] for s in strengths], [s[1] for s in strengths], [s[2] for s in strengths]),
    ).rowcount


def refresh_teams(connection: Connection, now: dt.datetime, strengths: Sequence[tuple[str, float, float]]) -> None:
    """Recompute the record of every team, and of each player with it, with (name, strength, deviation) in points.

    Only what has changed is written; what no final match says any more is deleted.
    """
    connection.execute(
        """
        with counted as (
          select team, player, count(*) as matches, count(*) filter (where mine > theirs) as wins,
            sum(mine) as points_for, sum(theirs) as points_against
          from (
            select team_a as team, player_a as player, score_a as mine, score_b as theirs from matches
              where status = 'final' and team_a is not null
            union all
            select team_b, player_b, score_b, score_a from matches where status = 'final' and team_b is not null
          ) c group by team, player
        ), gone as (
          delete from team_players t where not exists (
            select 1 from counted c where c.team = t.team and c.player = t.player
          )
        )
        insert into team_players as t (team, player, matches, wins, points_for, points_against)
        select team, player, matches, wins, points_for, points_against from counted order by team, player
        on conflict (team, player) do update set matches = excluded.matches, wins = excluded.wins,
          points_for = excluded.points_for, points_against = excluded.points_against
        where (t.matches, t.wins, t.points_for, t.points_against) is distinct from
          (excluded.matches, excluded.wins, excluded.points_for, excluded.points_against)
        """
    )
    connection.execute(
        "delete from team_stats t where not exists (select 1 from team_players p where p.team = t.team)"
    )
    connection.execute(
        """
        insert into team_stats (team, matches, wins, points_for, points_against, strength, strength_sd, updated_at)
        select c.team, sum(c.matches), sum(c.wins), sum(c.points_for), sum(c.points_against), max(s.strength),
          max(s.sd), %s
        from team_players c
        left join unnest(%s::text[], %s::float8[], %s::float8[]) as s (team, strength, sd) using (team)
        group by c.team order by c.team
        on conflict (team) do update set matches = excluded.matches, wins = excluded.wins,
          points_for = excluded.points_for, points_against = excluded.points_against,
          strength = excluded.strength, strength_sd = excluded.strength_sd, updated_at = excluded.updated_at
        """,
        (now, [s[0] for s in strengths], [s[1] for s in strengths], [s[2] for s in strengths]),
    )


def counts(connection: Connection) -> dict[str, int]:
    """Rows of the main tables."""
    query = " union all ".join(f"select '{table}', count(*) from {table}" for table in COUNTED)
    return {row[0]: int(row[1]) for row in connection.execute(query.encode()).fetchall()}
