"""Players' careers, and counts for `tipoff db status`."""

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


def counts(connection: Connection) -> dict[str, int]:
    """Rows of the main tables."""
    query = " union all ".join(f"select '{table}', count(*) from {table}" for table in COUNTED)
    return {row[0]: int(row[1]) for row in connection.execute(query.encode()).fetchall()}
