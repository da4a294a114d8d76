"""A server that speaks the league's 2026 wire protocol over a book of matches, with a clock of its own."""

from __future__ import annotations

import datetime as dt

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tipoff.clock import Clock, SpeedClock
from tipoff.league import schedule
from tipoff.league.book import MatchBook
from tipoff.league.faults import Faults

SPORT = "nba"


class LeagueApp:
    """The routes; `clock` can be set, sped up and frozen while it runs."""

    def __init__(self, book: MatchBook, clock: Clock) -> None:
        self.book, self.clock, self.faults = book, clock, Faults()
        self.asgi = Starlette(
            routes=[
                Route("/v1/schedule/{sport}", self._day),
                Route("/v1/schedule/past/{sport}", self._past),
                Route("/v1/schedule/upcoming/{sport}", self._upcoming),
                Route("/v1/live/{sport}", self._live),
                Route("/v1/participant/{sport}/names", self._names),
                Route("/control/clock", self._set_clock, methods=["POST"]),
                Route("/control/faults", self._set_fault, methods=["POST"]),
            ]
        )

    async def _day(self, request: Request) -> Response:
        if request.path_params["sport"] != SPORT:
            return JSONResponse([])
        try:
            begin = dt.datetime.fromisoformat(request.query_params["date"])
        except (KeyError, ValueError) as error:
            return JSONResponse({"error": f"date: {error}"}, status_code=400)
        if begin.tzinfo is None:
            return JSONResponse({"error": "date: no offset"}, status_code=400)
        rows = schedule.day_view(self.book, begin.astimezone(dt.UTC), self.clock.now())
        return await self.faults.answer(rows)

    async def _past(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "20")
        if not limit.isdigit():
            return JSONResponse({"error": "limit is a number"}, status_code=400)
        player = request.query_params.get("participant")
        return JSONResponse(schedule.past(self.book, self.clock.now(), min(int(limit), 200), player))

    async def _upcoming(self, request: Request) -> Response:
        player = request.query_params.get("participant")
        return JSONResponse(schedule.coming(self.book, self.clock.now(), player))

    async def _live(self, _request: Request) -> Response:
        return JSONResponse(schedule.live(self.book, self.clock.now()))

    async def _names(self, _request: Request) -> Response:
        return JSONResponse(self.book.players())

    async def _set_clock(self, request: Request) -> Response:
        try:
            wanted = await request.json()
            at = dt.datetime.fromisoformat(wanted["at"]) if "at" in wanted else self.clock.now()
            self.clock = SpeedClock(at, float(wanted.get("speed", 0)))
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": f"send {{at: ISO time, speed: number}}: {error}"}, status_code=400)
        return JSONResponse({"now": self.clock.now().isoformat()})

    async def _set_fault(self, request: Request) -> Response:
        try:
            wanted = await request.json()
            self.faults.set(wanted["fault"], int(wanted.get("count", 1)))
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": f"send {{fault: name, count: number}}: {error}"}, status_code=400)
        return JSONResponse({"fault": self.faults.name, "count": self.faults.count})
