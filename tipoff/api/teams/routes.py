"""`/api/teams`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.matches.routes import LINK, TOPICS, Cursor, Limit, match_row
from tipoff.api.matches.schemas import MatchStatus
from tipoff.api.players.routes import around, won
from tipoff.api.problems import ProblemError
from tipoff.api.routing import Format, Named, described, router
from tipoff.api.teams.schemas import Member, Team, TeamDetail, TeamPage
from tipoff.storage import browse, overview, teams
from tipoff.storage.browse import Wanted
from tipoff.storage.pool import Connection

LAST, NEXT, MEMBERS = 20, 10, 50
routes = router("teams")


@routes.get(
    "/api/teams", operation_id="list_teams",
    **described(Scope.READ, TeamPage, "Teams, strongest first", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_teams(
    request: Request, limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """Every team with a final match, by strength; the interval says which cannot be told apart."""
    place: Any = cursors.read(cursor, float, str)

    def page(connection: Connection, after: Any) -> tuple[list[Team], Any]:
        found = teams.board(connection, None, limit + 1, after)
        last = found[limit - 1] if len(found) > limit else None
        return [_team(values) for values in found[:limit]], (last["place"], last["team"]) if last else None

    def made(_: Connection, items: list[Team], next_cursor: str | None) -> TeamPage:
        return TeamPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, Team, page, place, TOPICS, made)


@routes.get(
    "/api/teams/{team:name}", operation_id="get_team",
    **described(Scope.READ, TeamDetail, "One team", cached=True, problems=[404]),
)  # fmt: skip
def get_team(request: Request, team: Named) -> Response:
    """Record and strength, who plays with it and how, last matches and next fixtures."""

    def question(connection: Connection) -> TeamDetail:
        record = teams.board(connection, team, 1, None)
        coming = Wanted(team=team, since=overview.now(connection), status=MatchStatus.SCHEDULED.value)
        last = browse.played(connection, Wanted(team=team), LAST, None)
        booked = browse.booked(connection, coming, NEXT, None)
        if not (record or last or booked):
            raise ProblemError(404, f"there is no team {team[:80]!r}: see /api/teams")
        return TeamDetail(
            team=team, record=_team(record[0]) if record else None,
            by_player=[Member(**values, **won(values)) for values in teams.players(connection, team, MEMBERS)],
            last=[match_row(row) for row in last], next=[match_row(row) for row in booked],
        )  # fmt: skip

    return answers.read(request, TOPICS, question)


def _team(values: Mapping[str, Any]) -> Team:
    named = {name: values[name] for name in values if name != "place"}
    return Team(**named, **won(values), **around(values))
