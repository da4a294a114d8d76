"""`/h2h`: a match of any two players that is only thought of, and how they did against each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.predictions.schemas import Market
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.web import ask
from tipoff.web.charts import bar, distribution, pairs
from tipoff.web.page import Pages, viewer_of
from tipoff.web.pages.match import MARKETS, Said, curve
from tipoff.web.routing import Page

FIELDS = ("a", "b", "team_a", "team_b", "market", "line", "newcomers")
WHERE = {"player_a": "a", "player_b": "b", "team_a": "team_a", "team_b": "team_b", "line": "line"}
NAMES, GROUP = 200, 8
"""names that are suggested, and players in the matrix"""
ADVICE = " (newcomers: true accepts it)"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, what the API said of it, and what is wrong with which field ("" is the whole)."""

    wanted: dict[str, str]
    answer: ask.Answer | None
    wrong: dict[str, str]


async def show(request: Request) -> Response:
    """The form, and what the champion says of that match; without two players, who beat whom."""
    pages: Pages = request.app.state.pages
    wanted = {name: request.query_params.get(name, "").strip() for name in FIELDS}
    wanted |= {name: wanted[name].upper() for name in ("a", "b")}
    asked = await _ask(request, wanted)
    players, teams = await ask.all_of(
        ask.get(request, "/api/players", limit=NAMES), ask.get(request, "/api/teams", limit=NAMES)
    )
    found = asked.answer.data["items"][0] if asked.answer is not None and asked.answer.ok else None
    values = {
        "nav": "h2h", "wanted": asked.wanted, "wrong": asked.wrong, "found": found, "labels": labels(wanted),
        "players": [one["player"] for one in players.data["items"]] if players.ok else [],
        "teams": [one["team"] for one in teams.data["items"]] if teams.ok else [],
        "as_of": asked.answer.data["as_of"] if asked.answer is not None and found else None, "matrix": None,
    }  # fmt: skip
    if found:
        values |= await _shown(request, found)
    elif not asked.wrong:
        values["matrix"] = await _matrix(request)
    return await pages.page(request, "h2h.html", values, sources=[players, teams])


def labels(wanted: Mapping[str, str]) -> dict[str, str]:
    """What the markets are called."""
    names = {"a": wanted["a"] or "the first", "b": wanted["b"] or "the second"}
    return {"winner": "Winner", **{key: text.format(**names) for key, text in MARKETS.items()}}


async def _ask(request: Request, wanted: dict[str, str]) -> Asked:
    """Ask the champion; what it refuses is said beside the field that it is about."""
    if not (wanted["a"] and wanted["b"]):
        return Asked(wanted, None, {})
    market = wanted["market"] if wanted["market"] in MARKETS else "winner"
    wanted = {**wanted, "market": market, "line": wanted["line"] if market != "winner" else ""}
    match: dict[str, Any] = {"player_a": wanted["a"], "player_b": wanted["b"], "market": market}
    match |= {name: wanted[name] for name in ("team_a", "team_b") if wanted[name]}
    if wanted["line"]:
        try:
            match["line"] = float(wanted["line"].replace(",", ".").replace("\N{MINUS SIGN}", "-"))
        except ValueError:
            return Asked(wanted, None, {"line": "A line is a whole or half number of points."})
    body = {"matches": [match], "odds_format": viewer_of(request).chosen.odds, "newcomers": bool(wanted["newcomers"])}
    answer = await ask.post(request, "/api/ml/what-if", body)
    return Asked(wanted, answer, {} if answer.ok else refused(answer))


def refused(answer: ask.Answer) -> dict[str, str]:
    """What is wrong, by the field of the form."""
    errors = answer.data.get("errors") or []
    found = {WHERE.get(one["where"].rpartition("/")[2], ""): one["detail"] for one in errors}
    return {field: sentence(said) for field, said in (found or {"": answer.problem}).items()}


def sentence(said: str) -> str:
    """What the API said as a sentence, without what only concerns those who call it.

    >>> sentence("nothing is known of that name; did you mean BEN? (newcomers: true accepts it)")
    'Nothing is known of that name; did you mean BEN?'
    """
    said = said.removesuffix(ADVICE)
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "?")) else ".")


async def _shown(request: Request, found: Mapping[str, Any]) -> dict[str, Any]:
    """Charts of the answer, and how the two did against each other."""
    a, b = found["player_a"], found["player_b"]
    h2h = await ask.get(request, ask.path("api", "h2h", a, b))
    parts = [bar.Part(p["name"].replace("_", " "), p["margin"], p["margin_sd"], p["words"]) for p in found["why"]]
    title = "Points of margin that each part adds"
    return {
        "h2h": h2h, "curve": _curve(found), "why": {
            "chart": bar.parts(parts, chart_id="why", title=title, ends=(f"for {b}", f"for {a}")),
            "table": bar.parts_table(parts, caption=title)},
    }  # fmt: skip


def _curve(found: Mapping[str, Any]) -> dict[str, Markup]:
    """The density of what the market is about, with its line."""
    f, market = found["forecast"], Market.model_validate(found["market"])
    d = ScoreDistribution(f["margin_mean"], f["margin_sd"], f["total_mean"], f["total_sd"])
    a, b = found["player_a"], found["player_b"]
    if market.market != "winner":
        match = {"player_a": a, "player_b": b, "score_a": None, "score_b": None}
        return curve(Said(d, f["p_a"], "now", ""), match, market.market.value, market)
    data = distribution.Curve(d.margin_mean, d.margin_sd, 0.0, None, (market.under, market.over))
    title, words = f"Points {a} is ahead by at the end", (f"{b} wins", f"{a} wins")
    return {
        "chart": distribution.chart(data, chart_id="curve", title=title, words=words),
        "table": distribution.table(data, caption=title, words=words),
    }


async def _matrix(request: Request) -> dict[str, Any] | None:
    """Who won how often against whom: a player of the next match and those whom they met most."""
    coming = await ask.get(request, "/api/upcoming-matches", limit=1)
    if not coming.ok or not coming.data["items"]:
        return None
    first = await ask.get(request, ask.path("api", "players", coming.data["items"][0]["player_a"]))
    if not first.ok:
        return None
    others = [o["opponent"] for o in first.data["by_opponent"][: GROUP - 1]]
    rest = await ask.all_of(*(ask.get(request, ask.path("api", "players", name)) for name in others))
    players = [one.data for one in (first, *rest) if one.ok]
    group = {one["player"] for one in players}
    cells = [
        pairs.Cell(one["player"], o["opponent"], o["win_share"], o["matches"], o["win_low"], o["win_high"])
        for one in players
        for o in one["by_opponent"]
        if o["opponent"] in group
    ]
    if not cells:
        return None
    name = first.data["player"]
    title = f"Who won how often against whom: {name} and whom they met most"
    return {"name": name, "chart": pairs.chart(cells, chart_id="pairs", title=title),
            "table": pairs.table(cells, caption=title)}  # fmt: skip


PAGES = (Page("/h2h", show),)
