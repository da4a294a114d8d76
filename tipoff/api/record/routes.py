"""`/api/record` and every sealed forecast in it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Scope
from tipoff.api.matches.routes import LINK, Cursor, Limit, Player
from tipoff.api.problems import ProblemError
from tipoff.api.record.schemas import Outcome, SealedForecast, SealedForecastPage, SealStatus, TrackRecord
from tipoff.api.routing import Format, backend_of, described, router
from tipoff.storage import sealed, track_record
from tipoff.storage.pool import Connection

NAMES = ("external_id", "player_a", "player_b", "team_a", "team_b", "stream")
HITS = {Outcome.HIT: 1.0, Outcome.MISS: 0.0}
WON: dict[float | None, bool] = {1.0: True, 0.0: False}
routes = router("ledger")


@routes.get(
    "/api/record", operation_id="get_record",
    **described(Scope.READ, TrackRecord, "The track record", cached=True, problems=[404]),
)  # fmt: skip
def get_record(
    request: Request,
    by: Annotated[Literal["day", "week", "month"], Query(description="Groups of by_period.")] = "day",
) -> Response:
    """What the sealed forecasts scored, with intervals and beside baselines, as a job worked it out last."""

    def question(connection: Connection) -> TrackRecord:
        found = track_record.get(connection, by)
        if found is None:
            raise ProblemError(404, "there is no record yet: it is worked out once forecasts are sealed")
        made_at, row, since, document = found
        values = {"made_at": made_at, "ledger_row": row, "rows_since": since, "period": by, **document}
        return TrackRecord.model_validate(values)

    return answers.read(request, ("record", "predictions"), question)


@routes.get(
    "/api/record/forecasts", operation_id="list_sealed_forecasts",
    **described(Scope.READ, SealedForecastPage, "Every sealed forecast, and what came", csv=True, cached=True,
                headers=LINK),
)  # fmt: skip
def list_forecasts(
    request: Request,
    horizon: Annotated[
        int | None, Query(ge=1, le=1440, description="Minutes before the start; left out: the last horizon.")
    ] = None,
    player: Player = None,
    status: Annotated[SealStatus | None, Query(description="Only those of which this became.")] = None,
    outcome: Annotated[Outcome | None, Query(description="Only those whose likelier side won, or lost.")] = None,
    limit: Limit = 50, cursor: Cursor = None, format: Format = None,  # noqa: A002
) -> Response:  # fmt: skip
    """What was sealed at a horizon, in order of sealing, newest first: one a match, as the record counts them."""
    place: Any = cursors.read(cursor, int)
    before = min(backend_of(request).settings.horizons) if horizon is None else horizon
    wanted = sealed.Filter(before, player, status.value if status else None, HITS[outcome] if outcome else None)

    def page(connection: Connection, after: Any) -> tuple[list[SealedForecast], Any]:
        found, last = sealed.page(connection, wanted, limit, after[0] if after else None)
        return [_sealed(row) for row in found], None if last is None else (last,)

    def made(_: Connection, items: list[SealedForecast], next_cursor: str | None) -> SealedForecastPage:
        return SealedForecastPage(items=items, next_cursor=next_cursor, horizon=before)

    return answers.listed(request, format, SealedForecast, page, place, ("predictions",), made)


def _sealed(row: tuple[Any, ...]) -> SealedForecast:
    """A row of `sealed.page`."""
    seq, digest, horizon, sealed_at, model, p_a, mm, ms, tm, ts, content, graded = row
    body = json.loads(content)["body"]
    grade: dict[str, Any] = json.loads(graded)["body"] if graded else {"status": SealStatus.OPEN, "result": {}}
    scores, result = grade.get("scores") or {}, grade["result"]
    return SealedForecast(
        **{name: body[name] for name in NAMES}, start=result.get("start", body["start"]), horizon=horizon,
        sealed_at=sealed_at, row=seq, hash=digest, model=model, p_a=p_a, margin_mean=mm, margin_sd=ms, total_mean=tm,
        total_sd=ts, status=grade["status"], score_a=result.get("score_a"), score_b=result.get("score_b"),
        hit=WON.get(scores.get("hit")), log_loss=scores.get("log_loss"),
    )  # fmt: skip
