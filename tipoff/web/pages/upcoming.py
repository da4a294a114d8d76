"""`/`: the next matches at a glance."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tipoff.forecast.interval import wilson
from tipoff.web import ask, words
from tipoff.web.charts import calibration, spark
from tipoff.web.page import Pages, viewer_of
from tipoff.web.posted import oldest, sided
from tipoff.web.routing import Page

ROWS = 50
CONFIDENCES = (("", "any"), *((f"0.{p}", f"{p}% sure") for p in (55, 60, 65, 70, 80)))
FILTERS = ("search", "player", "team", "stream", "confidence")
BEHIND = 600.0
"""seconds after which forecasts that have not learned the newest result are said to be old"""
NEWCOMER = 20
"""results of a player below which a forecast leans on what newcomers usually do"""


async def show(request: Request) -> Response:
    """Fixtures that have not begun with what the champion says of them, and how good that was so far."""
    pages: Pages = request.app.state.pages
    wanted = {name: request.query_params.get(name, "").strip() for name in FILTERS}
    upcoming, record, running, results = await ask.all_of(
        ask.get(request, "/api/upcoming-matches", limit=ROWS,
                cursor=request.query_params.get("cursor"), **wanted),
        ask.get(request, "/api/record"),
        ask.get(request, "/api/jobs", status="running", limit=1),
        ask.get(request, "/api/matches", limit=1, status="final"),
    )  # fmt: skip
    page, since = upcoming.needed(), oldest(request)
    values = {
        "nav": "upcoming", "rows": page["items"], "as_of": page["as_of"], "model": page["model_version"],
        "total": page["total"], "next": page["next_cursor"], "streams": page["streams"], "wanted": wanted,
        "confidences": CONFIDENCES, "record": record.data if record.ok else None, "newcomer": NEWCOMER,
        "running": running.data["items"] if running.ok else [], "begun": bool(request.query_params.get("cursor")),
        "days": _days(page["items"], viewer_of(request).chosen.tz), "tiles": tiles(record),
        "posted": {row["external_id"]: sided(row, row["posted"], since) for row in page["items"]},
        "calibration": calibrated(record), "behind": behind(page["as_of"], results),
    }  # fmt: skip
    return await pages.page(request, "upcoming.html", values, sources=[upcoming, record])


def behind(as_of: str | None, results: ask.Answer) -> float | None:
    """Seconds by which the forecasts are older than the newest result, where that is too much."""
    learned = words.moment(as_of)
    newest = words.moment(results.data["items"][0]["observed_at"]) if results.ok and results.data["items"] else None
    late = (newest - learned).total_seconds() if newest and learned else 0.0
    return late if late > BEHIND else None


def _days(rows: list[dict[str, Any]], tz: dt.tzinfo) -> dict[str, str]:
    """The day of each row that is the first of its day, by external id."""
    found, before = {}, None
    for row in rows:
        at = words.moment(row["start"])
        day = at.astimezone(tz).date() if at else None
        if day != before and at is not None:
            found[row["external_id"]] = f"{at.astimezone(tz):%A, %-d %B}"
        before = day
    return found


def tiles(record: ask.Answer, by: str = "day") -> list[dict[str, Any]]:
    """The record's main figures, each with its interval and n, and how they went by day, week or month."""
    if not record.ok or str(record.data["main"]) not in record.data["by_horizon"]:
        return []
    found, main = record.data, str(record.data["main"])
    measures, by_day = found["by_horizon"][main]["measures"], list(found["by_period"].values())
    covered = next((c for c in found["coverage"] if str(c["horizon"]) == main), None)
    made = [
        _tile("Called right", measures.get("hit"), "percent", by_day, "hit", by),
        _tile("Log loss", measures.get("log_loss"), "number", by_day, "log_loss", by),
        _tile("Brier score", measures.get("brier"), "number", by_day, "brier", by),
    ]
    if covered and covered["played"]:
        share = covered["sealed"] / covered["played"]
        ends = words.interval(*wilson(share, covered["played"]), words.percent, 1)
        said = f"{words.number(covered['sealed'])} of {words.number(covered['played'])}, {main} min before; {ends}"
        made.append({"name": "Sealed in time", "value": words.percent(share, 1), "said": said, "spark": ""})
    return [tile for tile in made if tile]


def _tile(
    name: str, estimate: dict[str, Any] | None, kind: str, days: list[Any], measure: str, by: str
) -> dict[str, Any]:
    if estimate is None or estimate["mean"] is None:
        return {}
    show, digits = (words.percent, 1) if kind == "percent" else (words.number, 4)
    ends = words.interval(estimate["low"], estimate["high"], show, min(digits, 3))
    points = [day["measures"][measure]["mean"] for day in days if measure in day["measures"]]
    said = f"{ends}, n = {words.number(estimate['n'])}"
    return {"name": name, "value": show(estimate["mean"], digits), "said": said, "spark": sparkline(points, name, by)}


def sparkline(values: list[float | None], name: str, by: str) -> Markup:
    """How a figure went; nothing where it has but one value."""
    return spark.chart(values, f"{name} by {by}") if len(values) > 1 else Markup()


def calibrated(record: ask.Answer) -> dict[str, Any] | None:
    """What was forecast against what came, with how many forecasts that is from."""
    if not record.ok or not record.data["bins"]:
        return None
    bins = [calibration.Bin(**{f.name: b[f.name] for f in dataclasses.fields(calibration.Bin)})
            for b in record.data["bins"]]  # fmt: skip
    return {
        "chart": calibration.chart(bins, chart_id="calibration"), "table": calibration.table(bins),
        "n": words.number(sum(one.n for one in bins)),
    }  # fmt: skip


PAGES = (Page("/", show),)
