"""`/about`: how forecasts are made, what they are not, where the data comes from, what the words mean."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tipoff.web import ask
from tipoff.web.page import Pages
from tipoff.web.pages.record import verdicts
from tipoff.web.routing import Page

WORDS = (
    ("Match", "Two people play NBA 2K against each other, each with an NBA team, four quarters of five minutes."),
    ("Side A, side B", "The two sides as the league lists them. There is no home advantage."),
    ("Player, team", "The person, by the handle; the NBA team that the person uses in that match."),
    ("Session", "A player's unbroken block of play, without a gap of more than four hours."),
    ("Fixture", "A match that is on the schedule and not yet played."),
    ("Forecast", "A distribution over both scores; everything else follows from it."),
    ("Market", "A question with a price: the winner, the total, the spread, the points of one side."),
    ("Line", "The number a market is about: a total over or under 109.5."),
    ("Fair odds", "One divided by the probability, without a bookmaker's margin."),
    ("Push", "The result is exactly a whole line: the stake comes back."),
    ("Sealed", "Written into the ledger before the start, by the database's clock; never changed afterwards."),
    ("Graded", "Compared with the result once it is known. A corrected result adds another grade."),
    ("Champion, challenger", "The model that forecasts; one that was trained and has not replaced it."),
    ("Log loss", "Minus the logarithm of the probability given to what came. Less is better; a coin has {coin}."),
    ("Brier score", "The squared distance of the probability from what came (0 or 1). Less is better; a coin: 0.25."),
    ("ECE", "Expected calibration error: how far stated probabilities are from what came, on average over groups."),
    ("CRPS", "The same idea as log loss for a whole distribution, in points. Less is better."),
    ("CLV", "Closing line value: how a price compares with the last one before the start."),
    ("Interval", "95% intervals of rates and scores say how far chance alone may have moved them; 80% intervals of "
                 "points and strengths hold the truth in four of five cases, if the forecast is right."),
)  # fmt: skip


async def show(request: Request) -> Response:
    """The page; its figures come from the record, and where there is none it says so."""
    pages: Pages = request.app.state.pages
    record, status = await ask.all_of(ask.get(request, "/api/record"), ask.get(request, "/api/system/status"))
    coin = f"{math.log(2):.4f}"
    values = {
        "nav": "about", "measured": measured(record), "status": status.data if status.ok else None, "coin": coin,
        "glossary": [(word, said.format(coin=coin)) for word, said in WORDS],
    }  # fmt: skip
    return await pages.page(request, "about.html", values, sources=[record, status])


def measured(answer: ask.Answer) -> dict[str, Any] | None:
    """The main figures of the record; None where nothing is graded or it cannot be asked."""
    if not answer.ok:
        return None
    record = answer.data
    main = record["by_horizon"].get(str(record["main"]))
    if not main or not main["n"]:
        return None
    fullest = max(record["bins"], key=lambda b: b["n"], default=None)
    return {"record": record, "main": main, "verdicts": verdicts(record), "bin": fullest}


PAGES = (Page("/about", show, None),)
