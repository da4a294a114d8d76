"""`/matches/{id}`: one match whole, before it begins and after."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.forecasts import HALF_80, OddsFormat
from tipoff.api.matches.schemas import MarketName
from tipoff.api.predictions.routes import REACH, priced
from tipoff.api.predictions.schemas import Market
from tipoff.forecast.distribution import Line, ScoreDistribution
from tipoff.forecast.markets import exact_scores, ladder
from tipoff.web import ask
from tipoff.web.charts import bar, distribution, heat
from tipoff.web.charts.form import Result
from tipoff.web.charts.form import chart as pills
from tipoff.web.page import Pages, viewer_of
from tipoff.web.posted import oldest, sided
from tipoff.web.routing import Page
from tipoff.web.words import moment, signed

LINES = 500.0
EXACT = 12
FORM = 20
"""results before a match that are a player's form"""
MARKETS = {
    "total": "Total points", "spread": "Spread of {a}", "team_total_a": "Points of {a}",
    "team_total_b": "Points of {b}",
}  # fmt: skip
OUTCOMES = {
    "void": "Without a result", "cancelled": "Cancelled", "withdrawn": "Taken off the schedule", "played": "Played",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """The distribution that the page shows: the champion's of now, or what was sealed."""

    d: ScoreDistribution
    p_a: float
    source: str
    at: str

    @property
    def total(self) -> tuple[float, float]:
        """The 80% interval of the total."""
        half = HALF_80 * self.d.total_sd
        return self.d.total_mean - half, self.d.total_mean + half


async def show(request: Request) -> Response:
    """Distribution, markets, reasons, both players, the seal and what came of it."""
    pages: Pages = request.app.state.pages
    external_id = request.path_params["external_id"]
    [detail, prediction] = await ask.all_of(
        ask.get(request, ask.path("api", "matches", external_id)),
        ask.get(request, ask.path("api", "ml", "predictions", external_id)),
    )
    match = detail.needed()
    a, b = match["player_a"], match["player_b"]
    h2h, *both = await ask.all_of(
        ask.get(request, ask.path("api", "h2h", a, b)),
        *(ask.get(request, ask.path("api", "players", name)) for name in (a, b)),
        *(ask.get(request, "/api/matches", player=name, status="final", to=match["start"], limit=FORM)
          for name in (a, b)),
    )  # fmt: skip
    forecast = prediction.data if prediction.ok else None
    said = what_was_said(match)
    query = request.query_params
    values = {
        "nav": "upcoming" if match["status"] == "scheduled" else "record", "match": match, "said": said,
        "forecast": forecast, "h2h": h2h.data if h2h.ok else None,
        "sides": [_side(both[0], both[2]), _side(both[1], both[3])],
        "why": _why(forecast, a, b),
        "heat": _heat(said, match), "control": None if said is None else control(
            said, match, query.get("market", "total"), query.get("line", ""), viewer_of(request).chosen.odds),
        "posted": sided(match, forecast["posted"] if forecast else [], oldest(request)), "ladders": _ladders(said),
        "exact": exact_scores(said.d, EXACT) if said else [],
        "outcome": outcome_words(match),
    }  # fmt: skip
    return await pages.page(request, "match.html", values, sources=[detail, prediction])


def what_was_said(match: Mapping[str, Any]) -> Said | None:
    """What the champion says now; of a match that has begun, what was sealed last before it."""
    f = match["forecast"]
    if f is not None:
        return Said(_distribution(f), f["p_a"], "now", match["as_of"])
    sealed = [s for s in match["seals"] if (s["grade"] or {}).get("status") != "late"]
    if not sealed:
        return None
    last = min(sealed, key=lambda s: s["horizon"])
    return Said(_distribution(last), last["p_a"], "sealed", last["sealed_at"])


def _distribution(f: Mapping[str, Any]) -> ScoreDistribution:
    return ScoreDistribution(f["margin_mean"], f["margin_sd"], f["total_mean"], f["total_sd"])


def control(said: Said, match: Mapping[str, Any], market: str, line: str, odds: str) -> dict[str, Any]:
    """Any line of any market: what the form says back."""
    wrong = ""
    if market not in MARKETS:
        market, wrong = "total", "There is no such market; this is the total."
    name = MarketName(market)
    value = None
    if line:
        try:
            value = float(line.replace(",", ".").replace("\u2212", "-"))
        except ValueError:
            value = float("nan")
        if not -LINES <= value <= LINES or value * 2 != round(value * 2):
            wrong, value = (
                f"A line is a whole or half number from −{LINES:.0f} to {LINES:.0f}; this is the even one.",
                None,
            )
    found: Market = priced(said.d, name, value, OddsFormat(odds))
    assert found.line is not None  # noqa: S101 - every market but the winner has one
    a, b = match["player_a"], match["player_b"]
    labels = {key: text.format(a=a, b=b) for key, text in MARKETS.items()}
    over, under = "Over", "Under"
    if market == "spread":
        over, under = f"{a} {signed(found.line)}", f"{b} {signed(-found.line)}"
    return {
        "market": market, "line": found.line, "found": found, "wrong": wrong, "labels": labels, "over": over,
        "under": under, "curve": curve(said, match, market, found),
    }  # fmt: skip


def curve(said: Said, match: Mapping[str, Any], market: str, found: Market) -> dict[str, Markup]:
    """The density of what the market is about, the line in it, and what came."""
    a, b, d = match["score_a"], match["score_b"], said.d
    played = a is not None and b is not None
    side = ((d.margin_sd**2 + d.total_sd**2) ** 0.5) / 2
    mean, sd, came = {
        "total": (d.total_mean, d.total_sd, a + b if played else None),
        "spread": (d.margin_mean, d.margin_sd, a - b if played else None),
        "team_total_a": (d.mean_a, side, a), "team_total_b": (d.mean_b, side, b),
    }[market]  # fmt: skip
    line = found.line or 0.0
    words = (
        (f"{match['player_b']} covers", f"{match['player_a']} covers") if market == "spread" else ("under", "over")
    )
    data = distribution.Curve(mean, sd, -line if market == "spread" else line, came, (found.under, found.over))
    title = MARKETS[market].format(a=match["player_a"], b=match["player_b"])
    return {
        "chart": distribution.chart(data, chart_id="curve", title=title, words=words),
        "table": distribution.table(data, caption=title, words=words),
    }


def _heat(said: Said | None, match: Mapping[str, Any]) -> dict[str, Markup] | None:
    if said is None:
        return None
    d = said.d
    came = None if match["score_a"] is None else (match["score_a"], match["score_b"])
    data = heat.Scores(
        match["player_a"], match["player_b"], d.margin_mean, d.margin_sd, d.total_mean, d.total_sd, came, said.p_a
    )
    return {
        "chart": heat.chart(data, chart_id="scores", title="Final score"),
        "table": heat.table(data, caption="Final score"),
    }


def _why(forecast: Mapping[str, Any] | None, a: str, b: str) -> dict[str, Markup] | None:
    if not forecast or not forecast["why"]:
        return None
    parts = [bar.Part(p["name"].replace("_", " "), p["margin"], p["margin_sd"], p["words"]) for p in forecast["why"]]
    title = "Points of margin that each part adds"
    return {
        "chart": bar.parts(parts, chart_id="why", title=title, ends=(f"for {b}", f"for {a}")),
        "table": bar.parts_table(parts, caption=title),
    }


def _side(player: ask.Answer, earlier: ask.Answer) -> dict[str, Any] | None:
    """A player with the form of before this match, however long ago that was."""
    if not (player.ok and earlier.ok):
        return None
    name, rows = player.data["player"], earlier.data["items"]
    return {**player.data, "pills": pills(results(name, rows)), "n": len(rows)}


def results(player: str, rows: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Matches as that player saw them."""
    found = []
    for m in rows:
        mine = m["player_a"] == player
        own, other = (m["score_a"], m["score_b"]) if mine else (m["score_b"], m["score_a"])
        at = moment(m["start"])
        if at is not None:
            found.append(Result(at, m["player_b"] if mine else m["player_a"], own, other))
    return found


def _ladders(said: Said | None) -> dict[str, list[tuple[float, Line]]]:
    """Half lines around the even one of each market."""
    return {} if said is None else {name: ladder(said.d, name, REACH, 1.0) for name in MARKETS}


def outcome_words(match: Mapping[str, Any]) -> str:
    """What became of a match that has begun."""
    if match["status"] == "final":
        winner = match["player_a"] if match["score_a"] > match["score_b"] else match["player_b"]
        return f"{winner} won"
    return OUTCOMES.get(match["status"], "")


PAGES = (Page("/matches/{external_id:name}", show),)
