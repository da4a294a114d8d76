"""`/api/upcoming-matches`, `/api/matches`, and one match whole."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.forecasts import forecasts, seals
from tipoff.api.matches.schemas import (
    Forecast,
    LivePage,
    LiveRow,
    MatchDetail,
    MatchPage,
    MatchRow,
    MatchStatus,
    Moment,
    Observation,
    RawRow,
    UpcomingPage,
    UpcomingRow,
)
from tipoff.api.posted import fresh
from tipoff.api.problems import ProblemError
from tipoff.api.routing import LONGEST_NAME, STORED, Format, Named, backend_of, described, router
from tipoff.domain.match import Fixture
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.known import KnownState
from tipoff.storage import browse, overview
from tipoff.storage.browse import Wanted
from tipoff.storage.pool import Connection

IN_PLAY = dt.timedelta(minutes=45)
AHEAD = 1_000
"""fixtures that one request counts, or looks through for those that are sure enough"""
BATCH = 100
"""fixtures that are forecast together while looking"""
BOOKED = (MatchStatus.SCHEDULED, MatchStatus.WITHDRAWN, MatchStatus.PLAYED)
TOPICS = ("matches", "predictions", "models")
NAMES = list(MatchRow.model_fields)
routes = router("matches")

Player = Annotated[
    str | None,
    Query(max_length=LONGEST_NAME, pattern=STORED, description="Only matches of this player, exactly as named."),
]
Team = Annotated[
    str | None,
    Query(
        max_length=LONGEST_NAME, pattern=STORED, description="Only with this team; with player: the player used it."
    ),
]
Limit = Annotated[int, Query(ge=1, le=cursors.MOST, description="Rows of a page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=cursors.LONGEST, pattern=cursors.FORM, description="From next_cursor of the page before."),
]
LINK = {"Link": "The next page."}


@routes.get(
    "/api/upcoming-matches", operation_id="list_upcoming_matches",
    **described(Scope.READ, UpcomingPage, "Fixtures with their forecasts", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_upcoming(
    request: Request, player: Player = None, team: Team = None,
    stream: Annotated[
        str | None,
        Query(max_length=LONGEST_NAME, pattern=STORED, description="Only on this stream, exactly as named."),
    ] = None,
    search: Annotated[
        str | None,
        Query(max_length=200, pattern=STORED, description="A part of a player's or team's name, in any case."),
    ] = None,
    confidence: Annotated[
        float | None, Query(ge=0.5, le=1, description="Least probability of the likelier side.")
    ] = None,
    limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """Fixtures that have not begun, soonest first, with what the champion says of each now."""
    place: Any = cursors.read(cursor, dt.datetime, str)
    backend = backend_of(request)

    def page(connection: Connection, after: Any) -> tuple[list[UpcomingRow], Any]:
        now, newest = overview.now(connection), backend.newest.find(connection)
        wanted = Wanted(player, team, now, None, MatchStatus.SCHEDULED.value, stream, search or None)
        state = newest.state if newest else None
        if confidence is None:
            found, following = _ahead(connection, state, wanted, limit, after)
        else:
            found, following = _sure(connection, state, wanted, limit, after, confidence)
        sealed = seals(connection, [row.external_id for row, _ in found])
        distributions = {row.external_id: said[0] for row, said in found if said}
        posted = fresh(connection, distributions, backend.settings.fresh_price)
        items = [
            UpcomingRow(
                **row.model_dump(), forecast=said[1] if said else None,
                sealed=[one.horizon for one in sealed[row.external_id]], posted=posted.get(row.external_id, []),
            )
            for row, said in found
        ]  # fmt: skip
        return items, following

    def made(connection: Connection, items: list[UpcomingRow], next_cursor: str | None) -> UpcomingPage:
        newest = backend.newest.find(connection)
        streams = browse.streams_ahead(connection, overview.now(connection), AHEAD)
        return UpcomingPage(
            items=items, next_cursor=next_cursor, as_of=newest.learned_at if newest else None,
            model_version=newest.version if newest else None, streams=[name for name in streams if name is not None],
            total=sum(streams.values()),
        )  # fmt: skip

    return answers.listed(request, format, UpcomingRow, page, place, TOPICS, made)


Said = list[tuple[MatchRow, tuple[ScoreDistribution, Forecast] | None]]


def _ahead(
    connection: Connection, state: KnownState | None, wanted: Wanted, limit: int, after: Any
) -> tuple[Said, Any]:
    """Fixtures with what is said of them, and the place to go on from (None: no more)."""
    found = browse.booked(connection, wanted, limit + 1, after)
    shown = [match_row(row) for row in found[:limit]]
    said = forecasts(state, [fixture_of(row) for row in shown]) if state else []
    return (
        [(row, said[i] if said else None) for i, row in enumerate(shown)],
        _place(shown[-1]) if len(found) > limit else None,
    )


def _sure(
    connection: Connection, state: KnownState | None, wanted: Wanted, limit: int, after: Any, confidence: float
) -> tuple[Said, Any]:
    """As `_ahead`, those of which the likelier side is that likely; of up to AHEAD fixtures a page."""
    kept: Said = []
    for _ in range(AHEAD // BATCH):
        found, after = _ahead(connection, state, wanted, BATCH, after)
        kept += [(row, said) for row, said in found if said and max(said[1].p_a, said[1].p_b) >= confidence]
        if len(kept) > limit:
            return kept[:limit], _place(kept[limit - 1][0])
        if after is None:
            break
    return kept, after


def _place(row: MatchRow) -> browse.Place:
    return row.start, row.external_id


@routes.get(
    "/api/live-scores", operation_id="list_live",
    **described(Scope.READ, LivePage, "Matches in play", csv=True, cached=True),
)  # fmt: skip
def list_live(request: Request, format: Format = None) -> Response:  # noqa: A002
    """Matches that began within the last 45 minutes and have no result yet, with what was sealed of them."""

    def rows(connection: Connection) -> tuple[list[LiveRow], dt.datetime]:
        now = overview.now(connection)
        wanted = Wanted(since=now - IN_PLAY, until=now, status=MatchStatus.SCHEDULED.value)
        shown = [match_row(row) for row in browse.booked(connection, wanted, cursors.MOST, None)]
        sealed = seals(connection, [row.external_id for row in shown])
        items = [
            LiveRow(
                **row.model_dump(), minutes=round((now - row.start).total_seconds() / 60, 1),
                seals=sealed[row.external_id],
            )
            for row in shown
        ]  # fmt: skip
        return items, now

    def question(connection: Connection) -> LivePage:
        items, now = rows(connection)
        return LivePage(items=items, as_of=now)

    if answers.wants_csv(request, format):
        return answers.stream_csv(request, LiveRow, lambda connection, _: (rows(connection)[0], None))
    return answers.read(request, ("matches", "predictions"), question)


@routes.get(
    "/api/matches", operation_id="list_matches",
    **described(Scope.READ, MatchPage, "List matches", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_matches(
    request: Request, player: Player = None, team: Team = None,
    since: Annotated[Moment | None, Query(alias="from", description="Starts at this time or later.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Starts before this time.")] = None,
    status: Annotated[
        MatchStatus | None,
        Query(description="scheduled, withdrawn and played are fixtures; left out: matches that are over."),
    ] = None,
    limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """Matches, newest first: those that are over, or fixtures where the status asks for them."""
    place: Any = cursors.read(cursor, dt.datetime, str)
    wanted = Wanted(player, team, since, until, status.value if status else None)

    def page(connection: Connection, before: Any) -> tuple[list[MatchRow], Any]:
        if status in BOOKED:
            found = browse.booked(connection, wanted, limit + 1, before, "desc")
        else:
            found = browse.played(connection, wanted, limit + 1, before)
        shown = [match_row(row) for row in found[:limit]]
        return shown, (shown[-1].start, shown[-1].external_id) if len(found) > limit else None

    def made(_: Connection, items: list[MatchRow], next_cursor: str | None) -> MatchPage:
        return MatchPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, MatchRow, page, place, ("matches",), made)


@routes.get(
    "/api/matches/{external_id:name}", operation_id="get_match",
    **described(Scope.READ, MatchDetail, "One match", cached=True, problems=[404]),
)  # fmt: skip
def get_match(request: Request, external_id: Named) -> Response:
    """The match or fixture with its forecast, seals, result and grade."""
    backend = backend_of(request)

    def question(connection: Connection) -> MatchDetail:
        row = known_match(connection, external_id)
        newest = None
        if row.status is MatchStatus.SCHEDULED and row.start > overview.now(connection):
            newest = backend.newest.find(connection)
        forecast = forecasts(newest.state, [fixture_of(row)])[0][1] if newest else None
        return MatchDetail(
            **row.model_dump(), forecast=forecast, as_of=newest.learned_at if newest else None,
            model_version=newest.version if newest else None,
            seals=seals(connection, [external_id])[external_id],
            history=[
                Observation(observed_at=at, status=status, score_a=a, score_b=b, start=start)
                for at, status, a, b, start in browse.history(connection, external_id)
            ],
        )  # fmt: skip

    return answers.read(request, TOPICS, question)


@routes.get(
    "/api/matches/{external_id:name}/raw", operation_id="get_raw_match",
    **described(Scope.OPERATE, RawRow, "What the league's server said of a match", problems=[404]),
)  # fmt: skip
def get_raw(request: Request, external_id: Named) -> Response:
    """The row of the payload that the newest result was read from, verbatim."""

    def question(connection: Connection) -> RawRow:
        found = browse.raw(connection, external_id)
        rows = _rows_of(json.loads(found[3])) if found else []
        mine = next((row for row in rows if str(row.get("externalId")) == external_id), None)
        if found is None or mine is None:
            raise ProblemError(404, "no payload holds a result of that match")
        return RawRow(external_id=external_id, source=found[0], dialect=found[1], fetched_at=found[2], row=mine)

    return answers.read(request, (), question, private=True)


def _rows_of(payload: Any) -> list[dict[str, Any]]:
    """Every object that has an externalId, wherever the payload keeps its rows."""
    if isinstance(payload, dict):
        return [payload] if "externalId" in payload else [row for part in payload.values() for row in _rows_of(part)]
    return [row for part in payload for row in _rows_of(part)] if isinstance(payload, list) else []


def known_match(connection: Connection, external_id: str) -> MatchRow:
    """The match or fixture; raises ProblemError (404) where there is none."""
    row = browse.one(connection, external_id)
    if row is None:
        raise ProblemError(404, "there is no match with that id")
    return match_row(row)


def match_row(row: browse.Row) -> MatchRow:
    """A row of PLAYED or BOOKED."""
    return MatchRow.model_validate(dict(zip(NAMES, row, strict=True)))


def fixture_of(row: MatchRow) -> Fixture:
    """The fixture as the filter takes it."""
    return Fixture(row.external_id, row.start, row.player_a, row.player_b, row.team_a, row.team_b, row.stream)
