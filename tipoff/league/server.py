"""A server that speaks the league's 2026 wire protocol over a book of matches, with a clock of its own.

The 2025 schedule and the details of a match are there too, behind the token "guest".
"""

from __future__ import annotations

import datetime as dt

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tipoff.clock import Clock, SpeedClock
from tipoff.league import careers, details, schedule, wire2025
from tipoff.league.book import MatchBook
from tipoff.league.faults import Faults

SPORT = "nba"
GUEST = "guest"
NOTHING = JSONResponse({"error": "no stats"}, status_code=404)
STRANGER = JSONResponse({"message": "Unauthenticated."}, status_code=401)


class LeagueApp:
    """The routes; `clock` can be set, sped up and frozen while it runs."""

    def __init__(self, book: MatchBook, clock: Clock) -> None:
        self.book, self.clock = book, clock
        self.faults, self.detail_faults = Faults(), Faults(details=True)
        self.token = GUEST
        self.asgi = Starlette(
            routes=[
                Route("/v1/schedule", self._schedule_2025),
                Route("/v1/schedule/{sport}", self._day),
                Route("/v1/schedule/past/{sport}", self._past),
                Route("/v1/schedule/upcoming/{sport}", self._upcoming),
                Route("/v1/match/stats/{sport}", self._details),
                Route("/v1/match/{id}/stats", self._details_2025),
                Route("/v1/live/{sport}", self._live),
                Route("/v1/participant/{sport}", self._participants),
                Route("/v1/participant/{sport}/names", self._names),
                Route("/v1/participant/{sport}/stats", self._participant),
                Route("/v1/h2h/{sport}", self._h2h_of_match),
                Route("/v1/h2h/{sport}/participants", self._h2h),
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

    async def _participants(self, _request: Request) -> Response:
        return JSONResponse(list(careers.careers(self.book, self.clock.now()).values()))

    async def _participant(self, request: Request) -> Response:
        known = careers.careers(self.book, self.clock.now())
        name = request.query_params.get("participant", "").upper()
        return JSONResponse(known[name]) if name in known else JSONResponse({"error": "unknown"}, status_code=404)

    async def _h2h(self, request: Request) -> Response:
        a, b = (request.query_params.get(f"participant_{side}", "").upper() for side in "ab")
        answer = careers.head_to_head(self.book, self.clock.now(), a, b)
        return JSONResponse(answer) if answer else JSONResponse({"error": "unknown"}, status_code=404)

    async def _h2h_of_match(self, request: Request) -> Response:
        answer = careers.match_head_to_head(self.book, self.clock.now(), request.query_params.get("external_id", ""))
        return JSONResponse(answer) if answer else JSONResponse({"error": "unknown"}, status_code=404)

    async def _details(self, request: Request) -> Response:
        now = self.clock.now()
        match = details.found(self.book, request.query_params.get("external_id", ""), now)
        if match is None or request.path_params["sport"] != SPORT:
            return NOTHING
        return await self.detail_faults.answer(details.wire_2026(match, now))

    async def _details_2025(self, request: Request) -> Response:
        if not self._knows(request):
            return STRANGER
        match = details.found(self.book, request.path_params["id"], self.clock.now())
        return (
            NOTHING if match is None else await self.detail_faults.answer(details.wire_2025(match, self.clock.now()))
        )

    def _knows(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self.token}"

    async def _schedule_2025(self, request: Request) -> Response:
        if not self._knows(request):
            return STRANGER
        query = request.query_params
        try:
            begin, end = (dt.datetime.fromisoformat(query[key]).replace(tzinfo=dt.UTC) for key in ("from", "to"))
            kind = query["schedule-type"]
        except (KeyError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return await self.faults.answer(wire2025.rows(self.book, kind, begin, end, self.clock.now()))

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
            faults = self.detail_faults if wanted.get("of") == "details" else self.faults
            faults.set(wanted["fault"], int(wanted.get("count", 1)))
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse(
                {"error": f"send {{fault: name, count: number, of: details}}: {error}"}, status_code=400
            )
        return JSONResponse({"fault": faults.name, "count": faults.count})
