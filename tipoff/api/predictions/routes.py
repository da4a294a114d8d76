"""`/api/ml/predictions` and `/api/ml/what-if`."""

from __future__ import annotations

import datetime as dt
import difflib
import itertools
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.forecasts import DIGITS, OddsFormat, forecasts, odds, seals
from tipoff.api.matches.routes import LINK, TOPICS, Cursor, Limit, Player, Team, fixture_of, known_match
from tipoff.api.matches.schemas import MarketName, MatchStatus
from tipoff.api.posted import fresh
from tipoff.api.predictions.schemas import (
    Certainty,
    Line,
    Market,
    Part,
    Prediction,
    PredictionDetail,
    PredictionPage,
    Score,
    Scored,
    Summary,
    WhatIf,
    WhatIfMatch,
    WhatIfRequest,
    WhatIfs,
)
from tipoff.api.problems import ProblemError
from tipoff.api.routing import Format, Named, backend_of, described, router
from tipoff.domain.match import Fixture
from tipoff.forecast import certainty as forecast_certainty
from tipoff.forecast import markets
from tipoff.forecast.certainty import certainties
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.explain import Explanation, explain
from tipoff.forecast.known import KnownState
from tipoff.storage import browse, models, overview
from tipoff.storage.browse import Wanted
from tipoff.storage.pool import Connection

REACH = 6.0
SUMMED = 1000
CONFIDENCE = (0.5, 0.6, 0.7, 1.0)
FURTHEST = dt.timedelta(days=30)
routes = router("predictions")
OddsIn = Annotated[OddsFormat, Query(description="How fair odds are written.")]


@routes.get(
    "/api/ml/predictions", operation_id="list_predictions",
    **described(Scope.READ, PredictionPage, "Forecasts of fixtures", csv=True, cached=True, headers=LINK,
                problems=[404]),
)  # fmt: skip
def list_predictions(
    request: Request, player: Player = None, team: Team = None,
    market: Annotated[
        MarketName | None, Query(description="Left out: the winner, or the total where a line is given.")
    ] = None,
    line: Annotated[Line | None, Query(description="Whole or half points; left out: nearest to even.")] = None,
    odds_format: OddsIn = OddsFormat.DECIMAL, limit: Limit = 50, cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """What the champion says now of each fixture that has not begun, with fair odds of a market."""
    place: Any = cursors.read(cursor, dt.datetime, str)
    backend = backend_of(request)

    def page(connection: Connection, after: Any) -> tuple[list[Prediction], Any]:
        newest = backend.newest.get(connection)
        wanted = Wanted(player, team, overview.now(connection), None, MatchStatus.SCHEDULED.value)
        found = browse.booked(connection, wanted, limit + 1, after)
        fixtures = [Fixture(*row[:7]) for row in found[:limit]]
        sealed = seals(connection, [f.external_id for f in fixtures])
        made = forecasts(newest.state, fixtures, odds_format)
        sure = certainties(newest.state, fixtures)
        by_id = {f.external_id: d for f, (d, _) in zip(fixtures, made, strict=True)}
        posted = fresh(connection, by_id, backend.settings.fresh_price)
        items = [
            Prediction(
                external_id=f.external_id, start=f.start, player_a=f.player_a, player_b=f.player_b, team_a=f.team_a,
                team_b=f.team_b, stream=f.stream, forecast=forecast, certainty=_certainty(c),
                market=priced(d, market, line, odds_format), sealed=[one.horizon for one in sealed[f.external_id]],
                posted=posted[f.external_id],
            )
            for f, (d, forecast), c in zip(fixtures, made, sure, strict=True)
        ]  # fmt: skip
        return items, (fixtures[-1].start, fixtures[-1].external_id) if len(found) > limit else None

    def made(connection: Connection, items: list[Prediction], next_cursor: str | None) -> PredictionPage:
        newest = backend.newest.get(connection)
        return PredictionPage(
            items=items, next_cursor=next_cursor, as_of=newest.learned_at, model_version=newest.version,
            model=newest.sha256,
        )  # fmt: skip

    return answers.listed(request, format, Prediction, page, place, TOPICS, made)


@routes.get(
    "/api/ml/predictions/summary", operation_id="get_predictions_summary",
    **described(Scope.READ, Summary, "Forecasts at a glance", cached=True),
)  # fmt: skip
def get_summary(request: Request) -> Response:
    """How many fixtures of the next day are forecast and sealed, how sure, and what the last days scored."""
    backend = backend_of(request)

    def question(connection: Connection) -> Summary:
        newest, now = backend.newest.find(connection), overview.now(connection)
        wanted = Wanted(since=now, until=now + dt.timedelta(days=1), status=MatchStatus.SCHEDULED.value)
        fixtures = [Fixture(*row[:7]) for row in browse.booked(connection, wanted, SUMMED, None)] if newest else []
        made = [d for d, _ in forecasts(newest.state, fixtures)] if newest else []
        sure = [max(d.p_a, 1 - d.p_a) for d in made]
        days = models.performance_by_day(connection, 7)
        return Summary(
            upcoming=len(fixtures), newest_seal_at=browse.newest_seal(connection),
            sealed=len({row[0] for row in browse.seals(connection, [f.external_id for f in fixtures])}),
            by_confidence={
                f"{low:.0%}-{high:.0%}".replace("%-", "-"): sum(low <= p < high or p == high == 1 for p in sure)
                for low, high in itertools.pairwise(CONFIDENCE)
            },
            mean_total=round(sum(d.total_mean for d in made) / len(made), DIGITS) if made else None,
            last_day=_scored(days[:1]), last_week=_scored(days), model_version=newest.version if newest else None,
            as_of=newest.learned_at if newest else None,
        )  # fmt: skip

    return answers.read(request, TOPICS, question)


def _scored(days: Sequence[Sequence[float]]) -> Scored:
    """Days of (matches, log loss, accuracy, margin MAE, total MAE), each day weighing as its matches."""
    n = int(sum(day[0] for day in days))
    means = [sum(day[0] * day[i] for day in days) / n if n else None for i in range(1, 5)]
    return Scored(
        days=len(days), matches=n, log_loss=means[0], accuracy=means[1], margin_mae=means[2], total_mae=means[3]
    )


@routes.get(
    "/api/ml/predictions/{external_id:name}", operation_id="get_prediction",
    **described(Scope.READ, PredictionDetail, "One forecast, and why", cached=True, problems=[404]),
)  # fmt: skip
def get_prediction(request: Request, external_id: Named, odds_format: OddsIn = OddsFormat.DECIMAL) -> Response:
    """All markets, exact scores and reasons of a fixture; of a match that has begun, its seals and grades."""
    backend = backend_of(request)

    def question(connection: Connection) -> PredictionDetail:
        row = known_match(connection, external_id)
        sealed = seals(connection, [external_id])[external_id]
        if row.status is not MatchStatus.SCHEDULED or row.start <= overview.now(connection):
            return PredictionDetail(
                **row.model_dump(), forecast=None, certainty=None, why=[], cautions=[], markets=[], posted=[],
                exact_scores=[], seals=sealed, as_of=None, model_version=None,
            )  # fmt: skip
        newest, fixture = backend.newest.get(connection), fixture_of(row)
        [(d, forecast)] = forecasts(newest.state, [fixture], odds_format)
        [explained] = explain(newest.state, [fixture])
        ladders = [priced(d, MarketName.WINNER, None, odds_format)]
        for name in list(MarketName)[1:]:
            lines = [line for line, _ in markets.ladder(d, name.value, REACH)]
            ladders += [priced(d, name, line, odds_format) for line in lines]
        return PredictionDetail(
            **row.model_dump(), forecast=forecast, certainty=_certainty(explained.certainty), why=_parts(explained),
            cautions=explained.cautions, markets=ladders,
            posted=fresh(connection, {external_id: d}, backend.settings.fresh_price)[external_id],
            exact_scores=[Score(a=a, b=b, probability=round(p, DIGITS)) for a, b, p in markets.exact_scores(d)],
            seals=sealed, as_of=newest.learned_at, model_version=newest.version,
        )  # fmt: skip

    return answers.read(request, TOPICS, question)


@routes.post(
    "/api/ml/what-if", operation_id="what_if",
    **described(Scope.READ, WhatIfs, "Forecast any two players", problems=[404, 413]),
)  # fmt: skip
def what_if(request: Request, body: WhatIfRequest) -> Response:
    """What the champion says of matches that are only thought of; nothing is stored but a repeated answer."""
    backend = backend_of(request)

    def answer(connection: Connection) -> WhatIfs:
        newest, now = backend.newest.get(connection), overview.now(connection)
        fixtures = [_imagined(i, one, newest.state, now, body.newcomers) for i, one in enumerate(body.matches)]
        made = forecasts(newest.state, fixtures, body.odds_format)
        items = [
            WhatIf(
                player_a=f.player_a, player_b=f.player_b, team_a=f.team_a, team_b=f.team_b, start=f.start,
                forecast=forecast, certainty=_certainty(explained.certainty),
                market=priced(d, one.market, one.line, body.odds_format), why=_parts(explained),
                cautions=explained.cautions,
            )
            for one, f, (d, forecast), explained in zip(
                body.matches, fixtures, made, explain(newest.state, fixtures), strict=True
            )
        ]  # fmt: skip
        return WhatIfs(items=items, as_of=newest.learned_at, model_version=newest.version, model=newest.sha256)

    return answers.write(request, None, lambda connection: (200, answer(connection), {}))


def priced(d: ScoreDistribution, market: MarketName | None, line: float | None, form: OddsFormat) -> Market:
    """A market of that distribution; without a line at the one nearest to even."""
    name = market or (MarketName.WINNER if line is None else MarketName.TOTAL)
    if name is MarketName.WINNER:
        if line is not None:
            said = "the winner has no line: name another market or leave the line out"
            raise ProblemError(422, f"line: {said}", [("line", said)])
    elif line is None:
        line = markets.main_line(d, name.value)
    found = markets.price(d, name.value, line)
    return Market(
        market=name, line=line, over=round(found.over, DIGITS), push=round(found.push, DIGITS),
        under=round(found.under, DIGITS), fair_over=odds(found.fair_over, form),
        fair_under=odds(found.fair_under, form),
    )  # fmt: skip


def _certainty(c: forecast_certainty.Certainty) -> Certainty:
    return Certainty(low=round(c.low, DIGITS), high=round(c.high, DIGITS), words=c.words)


def _parts(explained: Explanation) -> list[Part]:
    return [
        Part(
            name=p.name, margin=round(p.margin, DIGITS), margin_sd=round(p.margin_sd, DIGITS),
            total=round(p.total, DIGITS), total_sd=round(p.total_sd, DIGITS), words=p.words,
        )
        for p in explained.parts
    ]  # fmt: skip


def _imagined(i: int, one: WhatIfMatch, state: KnownState, now: dt.datetime, newcomers: bool) -> Fixture:
    """The match as a fixture; raises ProblemError (422) for names that nothing is known of."""
    roster = state.roster
    players = [
        _known(name, roster.players, f"/matches/{i}/player_{side}", newcomers)
        for side, name in (("a", one.player_a), ("b", one.player_b))
    ]
    teams = [
        None if name is None else _known(name, roster.teams, f"/matches/{i}/team_{side}", newcomers)
        for side, name in (("a", one.team_a), ("b", one.team_b))
    ]
    if players[0] == players[1]:
        said = "a match needs two different players"
        raise ProblemError(422, f"/matches/{i}: {said}", [(f"/matches/{i}", said)])
    start = now if one.start is None else one.start
    if not now - dt.timedelta(minutes=5) <= start <= now + FURTHEST:
        said = f"a start lies between now and {FURTHEST.days} days from now"
        raise ProblemError(422, f"/matches/{i}/start: {said}", [(f"/matches/{i}/start", said)])
    return Fixture("what-if", start, players[0], players[1], teams[0], teams[1], None)


def _known(name: str, there: dict[str, int], where: str, newcomers: bool) -> str:
    if name in there or newcomers:
        return name
    close: Sequence[str] = difflib.get_close_matches(name[:100], there, n=3, cutoff=0.5)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    said = f"nothing is known of that name{hint} (newcomers: true accepts it)"
    raise ProblemError(422, f"{where}: {said}", [(where, said)])
