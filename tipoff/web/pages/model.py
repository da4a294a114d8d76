"""`/models/{version}`: one model whole; operators let it forecast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.access import Scope
from tipoff.forecast.interval import wilson
from tipoff.web import ask, forms
from tipoff.web.charts import bar, calibration
from tipoff.web.documents import pretty
from tipoff.web.page import Pages
from tipoff.web.pages.models import DAYS, daily
from tipoff.web.promises import promises
from tipoff.web.routing import Page
from tipoff.web.sure import CONFLICT, Question, sure

WITHIN_95 = 1.96


async def show(request: Request) -> Response:
    """The gate's verdict, promises, importance of its parts, calibration, baselines, parameters."""
    pages: Pages = request.app.state.pages
    version = request.path_params["version"]
    answer, record, days = await ask.all_of(
        ask.get(request, ask.path("api", "ml", "models", version)),
        ask.get(request, "/api/record"),
        ask.get(request, "/api/ml/model-performance", version=version, limit=DAYS),
    )
    model = answer.needed()
    measured = model["measured"].get("models") or []
    values = {
        "nav": "models", "model": model, "pretty": pretty, "record": record,
        "promises": promises(model, record.data if record.ok else None), "importance": importance(model),
        "calibration": calibrated(measured[0]) if measured else None, "rivals": measured[1:],
        "daily": daily(days, model), "why_not": why_not(model),
    }  # fmt: skip
    return await pages.page(request, "model.html", values, sources=[answer, record, days])


def importance(model: Mapping[str, Any]) -> dict[str, Markup] | None:
    """How much worse it is without each part, in thousandths of log loss."""
    if not model["importance"]:
        return None
    parts = [bar.Part(one["group"], 1000 * one["log_loss"], _sd(one)) for one in model["importance"]]
    title = "Log loss that each part saves, in thousandths"
    return {"chart": bar.parts(parts, chart_id="importance", title=title, decimals=2)}


def _sd(one: Mapping[str, Any]) -> float | None:
    low, high = one["log_loss_low"], one["log_loss_high"]
    return None if low is None or high is None else 1000 * (high - low) / (2 * WITHIN_95)


def calibrated(measured: Mapping[str, Any]) -> dict[str, Markup] | None:
    """Its forecasts when it was measured, against what came."""
    bins = [
        calibration.Bin(
            b["low"], b["high"], b["n"], b["mean_forecast"], b["share_won"], *wilson(b["share_won"], b["n"])
        )
        for b in measured.get("bins") or []
        if b["n"]
    ]
    return (
        {"chart": calibration.chart(bins, chart_id="calibration"), "table": calibration.table(bins)} if bins else None
    )


def why_not(model: Mapping[str, Any]) -> str:
    """Why it may not be made to forecast; nothing where it may."""
    if model["active"]:
        return "It forecasts already."
    if model["pruned_at"] is not None:
        return "Its files are gone: only the newest models keep theirs."
    return {"passed": "", "waiting": "The gate has not judged it yet."}.get(model["verdict"], "The gate refused it.")


async def ask_activate(request: Request) -> Response:
    """Is that one to forecast?"""
    return await sure(request, _question(await _model(request)))


async def activate(request: Request) -> Response:
    """Let it forecast."""
    await forms.read_form(request)
    version = request.path_params["version"]
    answer = await ask.post(request, ask.path("api", "ml", "models", version, "activate"))
    if answer.status == CONFLICT:
        return await sure(request, _question(await _model(request), answer.problem))
    answer.needed()
    return forms.see_other(ask.path("models", version))


async def _model(request: Request) -> Any:
    return (await ask.get(request, ask.path("api", "ml", "models", request.path_params["version"]))).needed()


def _question(model: Mapping[str, Any], wrong: str = "") -> Question:
    version = str(model["version"])
    return Question(
        "models", f"Let model {version} forecast?",
        "It takes over from the one that forecasts now, within a minute. What is sealed stays as it is; going back "
        "is letting the earlier one forecast again.",
        "Let it forecast", ask.path("models", version, "activate"), ask.path("models", version), wrong,
    )  # fmt: skip


PAGES = (
    Page("/models/{version}", show),
    Page("/models/{version}/activate", ask_activate, Scope.OPERATE),
    Page("/models/{version}/activate", activate, Scope.OPERATE, "POST"),
)
