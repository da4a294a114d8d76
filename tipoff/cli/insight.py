"""`tipoff why | what-if | ratings | teams | h2h`: why a forecast says what it says, and what else it would say."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import typer
from rich.table import Table

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, read_settings
from tipoff.cli.output import out, print_json, wide
from tipoff.clock import SystemClock
from tipoff.domain.match import Fixture
from tipoff.errors import InputError
from tipoff.forecast.columns import FEW
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.explain import Explanation, explain
from tipoff.forecast.markets import MARKETS, against_posted, all_markets
from tipoff.forecast.odds import read_price
from tipoff.forecast.ratings import Rated, leaderboard
from tipoff.pipeline.state import Live, bring_up_to_date
from tipoff.storage import fixtures, ledger, matches
from tipoff.storage.pool import Pool

Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")


@contextlib.contextmanager
def _live() -> Iterator[tuple[Pool, Live, dt.datetime]]:
    now = SystemClock().now()
    settings = read_settings()
    with database(settings) as pool:
        yield pool, bring_up_to_date(pool, now, settings.learn_older), now


def _known(name: str, names: Iterable[str], what: str) -> str:
    """The name as the league writes it; raises InputError with the nearest ones."""
    there = {known.casefold(): known for known in names}
    if name.casefold() in there:
        return there[name.casefold()]
    close = difflib.get_close_matches(name.casefold(), there, n=3, cutoff=0.5)
    hint = f"; did you mean {', '.join(there[c] for c in close)}?" if close else ""
    raise InputError(f"no {what} {name!r} is known{hint}")


def why(
    external_id: str = typer.Argument(help="A fixture's id, as in tipoff predict --json."), json: bool = Json
) -> None:
    """Why a fixture's forecast says what it says, part by part, in points."""
    with _live() as (pool, live, now):
        with pool.connection() as connection:
            known = {f.external_id: f for f in fixtures.scheduled_after(connection, now)}
        if external_id not in known:
            raise InputError(f"no fixture {external_id!r} is waiting to be played: see tipoff predict --json")
        _say(live, known[external_id], {}, json)


def what_if(
    player_a: str, player_b: str,
    team_a: str | None = typer.Option(None, help="Team of player A."),
    team_b: str | None = typer.Option(None, help="Team of player B."),
    market: str | None = typer.Option(None, help=f"A posted market: {', '.join(MARKETS)}."),
    line: float | None = typer.Option(None, help="Its line in points."),
    over: str | None = typer.Option(None, help="Price of over (side A): 1.91, -110 or 10/11."),
    under: str | None = typer.Option(None, help="Price of under (side B)."),
    json: bool = Json,
) -> None:  # fmt: skip
    """Forecast any two players now, with every market; given a posted price, what a bet on it is worth."""
    with _live() as (_, live, now):
        roster = live.state.roster
        a, b = (_known(name, roster.players, "player") for name in (player_a, player_b))
        if a == b:
            raise InputError("a match needs two different players")
        first, second = (None if t is None else _known(t, roster.teams, "team") for t in (team_a, team_b))
        fixture = Fixture("what-if", now, a, b, first, second, None)
        _say(live, fixture, _posted(market, line, over, under), json)


def _posted(market: str | None, line: float | None, over: str | None, under: str | None) -> dict[str, Any]:
    if market is None:
        return {}
    if over is None or under is None:
        raise InputError("a posted market needs both prices: --over and --under")
    return {"market": market, "line": line, "prices": (read_price(over), read_price(under))}


def _say(live: Live, fixture: Fixture, posted: dict[str, Any], json: bool) -> None:
    [explanation], [forecast] = explain(live.state, [fixture]), live.state.forecast([fixture])
    bet = against_posted(forecast, **posted) if posted else None
    if json:
        print_json(
            {
                "fixture": as_json(fixture), "model": live.model, "forecast": as_json(forecast), "p_a": forecast.p_a,
                "why": as_json(explanation), "markets": all_markets(forecast), "posted": bet,
            }
        )  # fmt: skip
        return
    _explanation(fixture, forecast, explanation)
    if bet is not None:
        for side in ("over", "under"):
            b = bet[side]
            at = "" if bet["line"] is None else f" {bet['line']:g}"
            out.print(
                f"{bet['market']}{at} {side} at {b['price']:.3f}: we say "
                f"{b['probability']:.1%}, the price without its margin {b['market_probability']:.1%}; expected "
                f"{b['expected']:+.3f} a unit, stake {b['stake']:.1%} of the bankroll", highlight=False,
            )  # fmt: skip


def _explanation(fixture: Fixture, f: ScoreDistribution, e: Explanation) -> None:
    out.print(
        f"{fixture.player_a} ({fixture.team_a or 'any team'}) {f.p_a:.1%} - {1 - f.p_a:.1%} {fixture.player_b} "
        f"({fixture.team_b or 'any team'}), {f.mean_a:.1f} to {f.mean_b:.1f} points", highlight=False,
    )  # fmt: skip
    out.print(e.certainty.words, highlight=False)
    table = Table(title="Why, in points (+- one deviation)", title_justify="left")
    for name in ("part", "margin", "total", "in words"):
        table.add_column(name, no_wrap=name != "in words", justify="right" if name in ("margin", "total") else "left")
    for p in e.parts:
        table.add_row(p.name, f"{p.margin:+.1f} +- {p.margin_sd:.1f}", f"{p.total:+.1f} +- {p.total_sd:.1f}", p.words)
    table.add_row("together", f"{e.margin_mean:+.1f}", f"{e.total_mean:+.1f}", "")
    wide(table)
    for caution in e.cautions:
        out.print(f"caution: {caution}", highlight=False)


def ratings(
    player: str | None = typer.Argument(None, help="One player: how the strength developed."),
    min_matches: int = typer.Option(FEW, min=0, help="Leave out players with fewer known results."),
    json: bool = Json,
) -> None:
    """Leaderboard of players with groups that cannot be told apart, or one player's history."""
    with _live() as (pool, live, _):
        if player is not None:
            name = _known(player, live.state.roster.players, "player")
            with pool.connection() as connection:
                history = ledger.rating_history(connection, name)
            _history(name, history, json)
            return
        _board(leaderboard(live.state, "players", min_matches), "player", json)


def teams(json: bool = Json) -> None:
    """Teams by what they are worth in points, with groups that cannot be told apart."""
    with _live() as (_, live, _now):
        _board(leaderboard(live.state, "teams"), "team", json)


def _board(board: list[Rated], what: str, json: bool) -> None:
    if json:
        print_json(as_json(board))
        return
    table = Table(title=f"Strength of each {what} in points of margin against the mean", title_justify="left")
    columns = ["rank", "group", what, "strength", "80 % interval", *(["results"] if what == "player" else [])]
    for name in columns:
        table.add_column(name, no_wrap=True, justify="left" if name == what else "right")
    for r in board:
        cells = [str(r.rank), str(r.group), r.name, f"{r.strength:+.1f}", f"{r.low:+.1f} to {r.high:+.1f}"]
        table.add_row(*cells, *([] if r.matches is None else [str(r.matches)]))
    wide(table)
    out.print("Within a group the order is within chance.", highlight=False)


def _history(name: str, history: list[tuple[dt.datetime, str, int, float, float]], json: bool) -> None:
    if json:
        names = ("at", "model", "matches", "strength", "sd")
        print_json([as_json(dict(zip(names, row, strict=True))) for row in history])
        return
    if not history:
        out.print(f"no forecast of {name} has been sealed yet, so there is no history", highlight=False)
    for at, _, played, strength, sd in history[-40:]:
        out.print(f"{at:%Y-%m-%d %H:%M} UTC  {strength:+.2f} +- {sd:.2f}  ({played} results known)", highlight=False)


def h2h(player_a: str, player_b: str, json: bool = Json) -> None:
    """Two players' matches against each other, and how much of that is more than chance."""
    with _live() as (pool, live, now):
        a, b = (_known(name, live.state.roster.players, "player") for name in (player_a, player_b))
        with pool.connection() as connection:
            met = matches.between(connection, a, b)
        fixture = Fixture("h2h", now, a, b, None, None, None)
        [e], [f] = explain(live.state, [fixture]), live.state.forecast([fixture])
    margins = [((m.score_a or 0) - (m.score_b or 0)) * (1 if m.player_a == a else -1) for m in met]
    pair = next(p for p in e.parts if p.name == "pair")
    answer = {
        "player_a": a, "player_b": b, "matches": len(met), "wins_a": sum(m > 0 for m in margins),
        "mean_margin": sum(margins) / len(margins) if margins else None, "pair_effect": pair.margin,
        "pair_effect_sd": pair.margin_sd, "expected_margin": f.margin_mean, "p_a": f.p_a,
        "last": [as_json(dataclasses.asdict(m)) for m in met[-10:]],
        "cautions": e.cautions + ([f"they have met {len(met)} times only"] if len(met) < FEW else []),
    }  # fmt: skip
    if json:
        print_json(answer)
        return
    raw = "" if not margins else f", {answer['mean_margin']:+.1f} points a match for {a}"
    out.print(f"{a} won {answer['wins_a']} of {len(met)} against {b}{raw}.", highlight=False)
    out.print(
        f"Beyond their strengths that is {pair.margin:+.1f} +- {pair.margin_sd:.1f} points for {a}; without teams "
        f"the next match would be {f.margin_mean:+.1f} points, {f.p_a:.1%} for {a}.", highlight=False,
    )  # fmt: skip
    for caution in e.cautions + ([f"they have met {len(met)} times only"] if len(met) < FEW else []):
        out.print(f"caution: {caution}", highlight=False)
