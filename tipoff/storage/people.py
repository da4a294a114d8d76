"""Players as people look at them: careers, teams, meetings, and how their strength developed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tipoff.storage.pool import Connection

CAREER = (
    "player, matches, wins, points_for, points_against, first_match_at, last_match_at, strength, strength_sd, "
    "updated_at"
)
BOARD = "coalesce(strength, '-infinity'::float8)"


def board(
    connection: Connection, search: str | None, limit: int, after: tuple[float, str] | None
) -> list[dict[str, Any]]:
    """Careers, strongest first; `search` is a part of the name; `after` is (strength, name) of the last one seen."""
    return dicts(
        connection,
        f"""
        select {CAREER}, {BOARD} as place from player_stats
        where (%(search)s::text is null or strpos(player, %(search)s) > 0)
          and (%(strength)s::float8 is null or {BOARD} < %(strength)s
            or ({BOARD} = %(strength)s and player > %(name)s))
        order by {BOARD} desc, player limit %(limit)s
        """,
        {"search": search, "limit": limit, "strength": after[0] if after else None,
         "name": after[1] if after else None},
    )  # fmt: skip


def careers(connection: Connection, player: str | None, limit: int, after: str | None) -> list[dict[str, Any]]:
    """Careers in order of name; of one player where one is named."""
    return dicts(
        connection,
        f"select {CAREER} from player_stats where (%(player)s::text is null or player = %(player)s) "
        "and (%(after)s::text is null or player > %(after)s) order by player limit %(limit)s",
        {"player": player, "after": after, "limit": limit},
    )


def known(connection: Connection, player: str) -> bool:
    """Whether the league ever named that player."""
    return connection.execute("select 1 from players where name = %s", (player,)).fetchone() is not None


def by_team(connection: Connection, player: str) -> list[dict[str, Any]]:
    """The player's final matches by the team used, most used first."""
    return dicts(
        connection,
        """
        select team, count(*) as matches, count(*) filter (where mine > theirs) as wins,
          avg(mine - theirs)::float8 as mean_margin, avg(mine + theirs)::float8 as mean_total
        from (
          select team_a as team, score_a as mine, score_b as theirs from matches
            where player_a = %(player)s and status = 'final'
          union all
          select team_b, score_b, score_a from matches where player_b = %(player)s and status = 'final'
        ) as played
        group by team order by matches desc, team
        """,
        {"player": player},
    )


def by_opponent(connection: Connection, player: str, limit: int) -> list[dict[str, Any]]:
    """The player's final matches by opponent, most met first."""
    return dicts(
        connection,
        """
        select opponent, count(*) as matches, count(*) filter (where mine > theirs) as wins,
          avg(mine - theirs)::float8 as mean_margin
        from (
          select player_b as opponent, score_a as mine, score_b as theirs from matches
            where player_a = %(player)s and status = 'final'
          union all
          select player_a, score_b, score_a from matches where player_b = %(player)s and status = 'final'
        ) as played
        group by opponent order by matches desc, opponent limit %(limit)s
        """,
        {"player": player, "limit": limit},
    )


def history(connection: Connection, player: str, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` strengths that sealed forecasts used, oldest first."""
    found = dicts(
        connection,
        "select at, model_sha256 as model, matches, strength, strength_sd from player_ratings "
        "where player = %(player)s order by at desc, model_sha256 limit %(limit)s",
        {"player": player, "limit": limit},
    )
    return found[::-1]


def meetings(connection: Connection, one: str, other: str) -> tuple[int, int, float | None, dt.datetime | None]:
    """(matches, wins of `one`, mean margin of `one`, start of the last) of these two against each other."""
    [row] = connection.execute(
        """
        select count(*), count(*) filter (where margin > 0), avg(margin)::float8, max(start_at) from (
          select score_a - score_b as margin, start_at from matches
            where player_a = %(one)s and player_b = %(other)s and status = 'final'
          union all
          select score_b - score_a, start_at from matches
            where player_a = %(other)s and player_b = %(one)s and status = 'final'
        ) as met
        """,
        {"one": one, "other": other},
    ).fetchall()
    return int(row[0]), int(row[1]), row[2], row[3]


def dicts(connection: Connection, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows by the names of their columns."""
    cursor = connection.execute(query.encode(), values)
    names = [column.name for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
