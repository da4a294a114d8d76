"""`/api/players`, `/api/player-stats`, `/api/h2h`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.forecasts import DIGITS, HALF_80, forecasts
from tipoff.api.matches.routes import LINK, TOPICS, Cursor, Limit, match_row
from tipoff.api.matches.schemas import MatchStatus
from tipoff.api.players.schemas import (
    Career,
    CareerPage,
    HeadToHead,
    OpponentRecord,
    PlayerDetail,
    Rating,
    TeamRecord,
)
from tipoff.api.problems import ProblemError
from tipoff.api.routing import LONGEST_NAME, STORED, Format, Named, backend_of, described, router
from tipoff.domain.match import Fixture
from tipoff.forecast.columns import FEW
from tipoff.forecast.explain import explain
from tipoff.forecast.interval import wilson
from tipoff.storage import browse, overview, people
from tipoff.storage.browse import Wanted
from tipoff.storage.pool import Connection

FORM, MEETINGS, NEXT, RATINGS, OPPONENTS = 10, 20, 10, 500, 50
routes = router("players")


@routes.get(
    "/api/players", operation_id="list_players",
    **described(Scope.READ, CareerPage, "Players, strongest first", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_players(
    request: Request,
    search: Annotated[
        str | None, Query(max_length=200, pattern=STORED, description="A part of the name, in any case.")
    ] = None,
    limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """Everybody with a final match, by strength; the interval says who cannot be told apart."""
    place: Any = cursors.read(cursor, float, str)

    def page(connection: Connection, after: Any) -> tuple[list[Career], Any]:
        found = people.board(connection, search.upper() if search else None, limit + 1, after)
        shown = [_career(values) for values in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        return shown, (last["place"], last["player"]) if last else None

    def made(_: Connection, items: list[Career], next_cursor: str | None) -> CareerPage:
        return CareerPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, Career, page, place, TOPICS, made)


@routes.get(
    "/api/player-stats", operation_id="list_player_stats",
    **described(Scope.READ, CareerPage, "Careers by name", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_player_stats(
    request: Request,
    player: Annotated[
        str | None, Query(max_length=LONGEST_NAME, pattern=STORED, description="Only this player.")
    ] = None,
    limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """Matches, wins and points of everybody, in order of name."""
    begin: Any = cursors.read(cursor, str)

    def page(connection: Connection, after: Any) -> tuple[list[Career], Any]:
        found = people.careers(connection, player, limit + 1, after[0] if after else None)
        shown = [_career(values) for values in found[:limit]]
        return shown, (shown[-1].player,) if len(found) > limit else None

    def made(_: Connection, items: list[Career], next_cursor: str | None) -> CareerPage:
        return CareerPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, Career, page, begin, TOPICS, made)


@routes.get(
    "/api/players/{handle:name}", operation_id="get_player",
    **described(Scope.READ, PlayerDetail, "One player", cached=True, problems=[404]),
)  # fmt: skip
def get_player(request: Request, handle: Named) -> Response:
    """Strength with its interval and how it developed, form, record by team and by opponent, next fixtures."""

    def question(connection: Connection) -> PlayerDetail:
        _there(connection, handle)
        career = people.careers(connection, handle, 1, None)
        coming = Wanted(player=handle, since=overview.now(connection), status=MatchStatus.SCHEDULED.value)
        return PlayerDetail(
            player=handle, career=_career(career[0]) if career else None,
            form=[match_row(row) for row in browse.played(connection, Wanted(player=handle), FORM, None)],
            by_team=[TeamRecord(**values, **won(values)) for values in people.by_team(connection, handle)],
            by_opponent=[
                OpponentRecord(**values, **won(values))
                for values in people.by_opponent(connection, handle, OPPONENTS)
            ],
            next=[match_row(row) for row in browse.booked(connection, coming, NEXT, None)],
            history=[Rating.model_validate(values) for values in people.history(connection, handle, RATINGS)],
        )  # fmt: skip

    return answers.read(request, TOPICS, question)


@routes.get(
    "/api/h2h/{a:name}/{b:name}", operation_id="head_to_head",
    **described(Scope.READ, HeadToHead, "Two players against each other", cached=True, problems=[404]),
)  # fmt: skip
def head_to_head(request: Request, a: Named, b: Named) -> Response:
    """Their meetings, what of that is more than their strengths say, and a match now."""
    if a == b:
        raise ProblemError(422, "b: two different players are needed", [("b", "two different players are needed")])
    backend = backend_of(request)

    def question(connection: Connection) -> HeadToHead:
        for name in (a, b):
            _there(connection, name)
        n, wins, margin, _ = people.meetings(connection, a, b)
        low, high = wilson(wins / n, n) if n else (None, None)
        newest, now = backend.newest.find(connection), overview.now(connection)
        pair, forecast, cautions = None, None, [] if n >= FEW else [f"they have met {n} times only"]
        if newest is not None:
            fixture = Fixture("h2h", now, a, b, None, None, None)
            [explained], [(_, forecast)] = explain(newest.state, [fixture]), forecasts(newest.state, [fixture])
            pair = next(part for part in explained.parts if part.name == "pair")
            cautions = explained.cautions + cautions
        return HeadToHead(
            player_a=a, player_b=b, matches=n, wins_a=wins, win_share=wins / n if n else None, win_low=low,
            win_high=high, mean_margin=margin,
            last=[match_row(row) for row in browse.between(connection, a, b, MEETINGS)],
            pair_effect=round(pair.margin, DIGITS) if pair else None,
            pair_effect_sd=round(pair.margin_sd, DIGITS) if pair else None, forecast=forecast, cautions=cautions,
            as_of=newest.learned_at if newest else None,
        )  # fmt: skip

    return answers.read(request, TOPICS, question)


def _there(connection: Connection, name: str) -> None:
    if not people.known(connection, name):
        raise ProblemError(404, f"there is no player {name[:80]!r}: see /api/players?search=")


def _career(values: Mapping[str, Any]) -> Career:
    return Career(**{name: values[name] for name in values if name != "place"}, **won(values), **around(values))


def around(values: Mapping[str, Any]) -> dict[str, Any]:
    """The 80 % interval of a strength."""
    strength, sd = values["strength"], values["strength_sd"]
    half = None if strength is None or sd is None else HALF_80 * sd
    return {
        "strength_low": None if half is None else strength - half,
        "strength_high": None if half is None else strength + half,
    }


def won(values: Mapping[str, Any]) -> dict[str, Any]:
    """The share of matches won, with its 95 % interval (Wilson)."""
    share = values["wins"] / values["matches"]
    low, high = wilson(share, values["matches"])
    return {"win_share": share, "win_low": low, "win_high": high}
