"""Teams as people look at them: records and strengths, and who plays with them."""

from __future__ import annotations

from typing import Any

from tipoff.storage.people import BOARD, dicts
from tipoff.storage.pool import Connection

RECORD = (
    "matches, wins, (points_for - points_against)::float8 / matches as mean_margin, "
    "(points_for + points_against)::float8 / matches as mean_total"
)


def board(
    connection: Connection, team: str | None, limit: int, after: tuple[float, str] | None
) -> list[dict[str, Any]]:
    """Teams, strongest first; of one team where one is named; `after` is (strength, name) of the last one seen."""
    return dicts(
        connection,
        f"""
        select team, {RECORD}, strength, strength_sd, updated_at, {BOARD} as place from team_stats
        where (%(team)s::text is null or team = %(team)s)
          and (%(strength)s::float8 is null or {BOARD} < %(strength)s
            or ({BOARD} = %(strength)s and team > %(name)s))
        order by {BOARD} desc, team limit %(limit)s
        """,
        {"team": team, "limit": limit, "strength": after[0] if after else None, "name": after[1] if after else None},
    )


def players(connection: Connection, team: str, limit: int) -> list[dict[str, Any]]:
    """Who has played with the team, most often first."""
    return dicts(
        connection,
        f"select player, {RECORD} from team_players where team = %(team)s "
        "order by matches desc, player limit %(limit)s",
        {"team": team, "limit": limit},
    )
