"""`/models`: the one that forecasts, those that wanted to, and two beside each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tipoff.web import ask
from tipoff.web.charts import series
from tipoff.web.page import Pages
from tipoff.web.promises import MEASURES, promises
from tipoff.web.routing import Page

ROWS = 50
DAYS = 60
NONE_YET = 404


async def show(request: Request) -> Response:
    """The champion with its promises, how its days went, and every model with the gate's verdict."""
    pages: Pages = request.app.state.pages
    cursor = request.query_params.get("cursor")
    listed, active, record, health = await ask.all_of(
        ask.get(request, "/api/ml/models", limit=ROWS, cursor=cursor),
        ask.get(request, "/api/ml/models/active"),
        ask.get(request, "/api/record"),
        ask.get(request, "/api/system/health"),
    )
    page = listed.needed()
    champion = None if active.status == NONE_YET else active.needed()
    days = None if champion is None else await _days(request, champion["version"])
    by_model = record.data["by_model"] if record.ok else {}
    values = {
        "nav": "models", "models": page["items"], "next": page["next_cursor"], "begun": bool(cursor),
        "champion": champion, "promises": promises(champion, record.data if record.ok else None) if champion else [],
        "record": record, "by_model": by_model, "days": days,
        "daily": daily(days, champion) if champion and days else None,
        "drift": health.data["checks"].get("models") if health.ok else None,
    }  # fmt: skip
    return await pages.page(request, "models.html", values, sources=[listed, active, record])


async def _days(request: Request, version: int) -> ask.Answer:
    return await ask.get(request, "/api/ml/model-performance", version=version, limit=DAYS)


def daily(days: ask.Answer, model: Mapping[str, Any]) -> dict[str, Markup] | None:
    """Log loss of the sealed forecasts of each day, against what was promised."""
    if not days.ok or not days.data["items"]:
        return None
    points = [
        series.Point(_noon(row["day"]), row["log_loss"], n=row["matches"]) for row in reversed(days.data["items"])
    ]
    promised = model["promised"].get("log_loss")
    levels = [] if promised is None else [series.Reference("promised", promised)]
    lines = [series.Series("log loss of a day", "a", points)]
    title = "Log loss of sealed forecasts, day by day"
    return {
        "chart": series.chart(lines, levels, chart_id="daily", title=title, decimals=4, height=220),
        "table": series.table(lines, levels, caption=title, decimals=4),
    }


async def compare(request: Request) -> Response:
    """Two models: what both promised, what both scored, which parameters differ."""
    pages: Pages = request.app.state.pages
    v1, v2 = (request.query_params.get(name, "").strip() for name in ("v1", "v2"))
    listed, compared, record = await ask.all_of(
        ask.get(request, "/api/ml/models", limit=200),
        ask.get(request, ask.path("api", "ml", "models", "compare", v1 or "0", v2 or "0")),
        ask.get(request, "/api/record"),
    )
    found = compared.data if compared.ok else None
    values = {
        "nav": "models", "models": listed.needed()["items"], "v1": v1, "v2": v2, "found": found, "answer": compared,
        "measures": {m.name: m for m in MEASURES}, "by_model": record.data["by_model"] if record.ok else {},
    }  # fmt: skip
    status = 200 if compared.ok or not (v1 and v2) else compared.status
    return await pages.page(request, "compare.html", values, sources=[listed], status=status)


def _noon(day: str) -> dt.datetime:
    return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(12), dt.UTC)


PAGES = (Page("/models", show), Page("/models/compare", compare))
