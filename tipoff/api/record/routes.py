"""`/api/record`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from tipoff.api import answers
from tipoff.api.access import Scope
from tipoff.api.problems import ProblemError
from tipoff.api.record.schemas import TrackRecord
from tipoff.api.routing import described, router
from tipoff.storage import track_record
from tipoff.storage.pool import Connection

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
