"""`/api/alerts`: what is wrong, what was; taking care of it; trying the receivers out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request
from starlette.responses import Response

from tipoff.api import answers, cursors
from tipoff.api.access import Principal, Scope
from tipoff.api.alerts.schemas import AlertPage, AlertRow, TrialSent
from tipoff.api.matches.routes import LINK, Cursor, Limit
from tipoff.api.problems import ProblemError
from tipoff.api.routing import Format, backend_of, described, router
from tipoff.delivery.channels import channels
from tipoff.health.trial import announce_trial
from tipoff.storage import alerts, overview
from tipoff.storage.pool import Connection

routes = router("alerts")
AlertId = Annotated[int, Path(ge=1, le=2**63 - 1)]
STATES = {"live": ("open", "acknowledged"), "resolved": ("resolved",), "all": ("open", "acknowledged", "resolved")}


@routes.get(
    "/api/alerts", operation_id="list_alerts",
    **described(Scope.READ, AlertPage, "List alerts", csv=True, cached=True, headers=LINK),
)  # fmt: skip
def list_alerts(
    request: Request,
    state: Annotated[Literal["live", "resolved", "all"], Query(description="live: open or acknowledged.")] = "live",
    limit: Limit = 50,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002
) -> Response:
    """Alerts, newest first."""
    place: Any = cursors.read(cursor, int)

    def page(connection: Connection, before: Any) -> tuple[list[AlertRow], Any]:
        found = alerts.page(connection, limit + 1, before[0] if before else None, STATES[state])
        shown = [AlertRow.model_validate(alert, from_attributes=True) for alert in found[:limit]]
        return shown, (shown[-1].id,) if len(found) > limit else None

    def made(_: Connection, items: list[AlertRow], next_cursor: str | None) -> AlertPage:
        return AlertPage(items=items, next_cursor=next_cursor)

    return answers.listed(request, format, AlertRow, page, place, ("alerts",), made, seconds=2.0)


@routes.get(
    "/api/alerts/{alert_id}", operation_id="get_alert",
    **described(Scope.READ, AlertRow, "One alert", problems=[404], cached=True),
)  # fmt: skip
def get_alert(request: Request, alert_id: AlertId) -> Response:
    """An alert, whether or not it is resolved."""

    def question(connection: Connection) -> AlertRow:
        return AlertRow.model_validate(_found(connection, alert_id), from_attributes=True)

    return answers.read(request, ("alerts",), question, seconds=2.0)


@routes.post(
    "/api/alerts/{alert_id}/acknowledge", operation_id="acknowledge_alert",
    **described(Scope.OPERATE, AlertRow, "Take care of an alert", problems=[404, 409, 413]),
)  # fmt: skip
def acknowledge_alert(request: Request, alert_id: AlertId) -> Response:
    """No more reminders, unless it gets worse; it is resolved by itself once what it tells of is over."""
    principal: Principal = request.scope["principal"]

    def act(connection: Connection) -> tuple[int, AlertRow, answers.Headers]:
        done = alerts.acknowledge(connection, alert_id, principal.id)
        if done is None:
            raise ProblemError(409, f"alert {alert_id} is {_found(connection, alert_id).state}")
        return 200, AlertRow.model_validate(done, from_attributes=True), {}

    return answers.write(request, "alerts", act)


@routes.post(
    "/api/alert-trials", operation_id="create_alert_trial",
    **described(Scope.OPERATE, TrialSent, "Try the receivers out", problems=[413]),
)  # fmt: skip
def create_alert_trial(request: Request) -> Response:
    """A message of trial for each webhook and channel, delivered by the next job of outbox_delivery."""
    backend = backend_of(request)

    def act(connection: Connection) -> tuple[int, TrialSent, answers.Headers]:
        names = [channel.name for channel in channels(backend.settings.alert_urls)]
        sent = announce_trial(connection, names, overview.now(connection))
        backend.jobs.deliver(connection)
        return 200, TrialSent(messages=sent), {}

    return answers.write(request, "jobs", act)


def _found(connection: Connection, alert_id: int) -> alerts.Alert:
    alert = alerts.find(connection, alert_id)
    if alert is None:
        raise ProblemError(404, f"there is no alert {alert_id}")
    return alert
