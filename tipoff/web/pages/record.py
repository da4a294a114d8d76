"""`/record`: how good the sealed forecasts were, every one of them, and how to check it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from tipoff.web import ask, words
from tipoff.web.charts import bar, calibration, series
from tipoff.web.page import Pages
from tipoff.web.pages.upcoming import sparkline, tiles
from tipoff.web.routing import Page

ROWS = 30
KINDS = {
    "experience": "By known results of the less known player", "level": "By expected total",
    "position": "By matches already played in the session, mean of the two",
}  # fmt: skip
PERIODS = {"day": "Day", "week": "Week", "month": "Month"}
BECAME = {
    "": {}, "hit": {"outcome": "hit"}, "miss": {"outcome": "miss"}, "graded": {"status": "graded"},
    "void": {"status": "void"}, "late": {"status": "late"}, "open": {"status": "open"},
}  # fmt: skip
CHOICES = (
    ("", "all"), ("hit", "called right"), ("miss", "called wrong"), ("graded", "graded"),
    ("open", "no result yet"), ("void", "void"), ("late", "sealed late"),
)  # fmt: skip
COIN = math.log(2)
"""log loss of a coin"""
FIXED = "constant"
"""the baseline that says the same of every match: as good as a coin"""


async def show(request: Request) -> Response:
    """The record, its charts, a page of sealed forecasts, and the head of the chain."""
    pages: Pages = request.app.state.pages
    query = request.query_params
    by = query.get("by") if query.get("by") in PERIODS else "day"
    wanted = {"became": query.get("became", ""), "player": query.get("player", "").strip().upper(),
              "horizon": query.get("horizon", "")}  # fmt: skip
    asked = {"player": wanted["player"], "horizon": wanted["horizon"], **BECAME.get(wanted["became"], {})}
    record, listed, chain = await ask.all_of(
        ask.get(request, "/api/record", by=by),
        ask.get(request, "/api/record/forecasts", limit=ROWS, cursor=query.get("cursor"), **asked),
        ask.get(request, "/api/ledger", limit=1),
    )
    found = record.data if record.ok or record.status == 404 else record.needed()
    values = {
        "nav": "record", "by": by, "periods": PERIODS, "wanted": wanted, "choices": CHOICES, "listed": listed,
        "begun": bool(query.get("cursor")), "head": chain.data["head"] if chain.ok else None,
        "csv": "/api/record/forecasts?" + urlencode([(k, v) for k, v in {**asked, "format": "csv"}.items() if v]),
        **(_shown(found, record, str(by)) if record.ok else {"record": None}),
    }  # fmt: skip
    return await pages.page(request, "record.html", values, sources=[record, listed])


def _shown(record: Mapping[str, Any], answer: ask.Answer, by: str) -> dict[str, Any]:
    """What the template shows of a record."""
    main = record["by_horizon"].get(str(record["main"]), {"n": 0, "measures": {}, "ece": None})
    return {
        "record": record, "main": main, "tiles": _tiles(record, answer, by), "verdicts": verdicts(record),
        "calibration": {"chart": calibration.chart(bins(record), chart_id="calibration"),
                        "table": calibration.table(bins(record))},
        "horizons": [(f"{h} min before", group) for h, group in record["by_horizon"].items()],
        "over_time": _over_time(record, by), "confidence": _confidence(record), "coin": COIN,
        "kinds": KINDS,
    }  # fmt: skip


def verdicts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Against each baseline: better, worse, or open where the interval of the difference holds 0; and in words."""
    found = []
    for one in record["baselines"]:
        name = "a coin flip" if one["name"] == FIXED else one["name"]
        d = one["difference"]
        if d["mean"] is None:
            continue
        if d["low"] is None or d["high"] is None:
            less = words.signed(-d["mean"], 4)
            found.append(("open", f"against {name}: {less}, no interval yet, it needs several days"))
            continue
        kind = "better" if d["high"] < 0 else "worse" if d["low"] > 0 else "open"
        by = words.number(abs(d["mean"]), 4) if kind != "open" else words.signed(-d["mean"], 4)
        ends = words.interval(-d["high"], -d["low"], words.signed, 4)
        said = f"against {name}: not told apart, {by}" if kind == "open" else f"than {name} by {by}"
        found.append((kind, f"{said} (95% interval {ends})"))
    return found


def bins(record: Mapping[str, Any]) -> list[calibration.Bin]:
    """The bins of the calibration plot."""
    return [calibration.Bin(**one) for one in record["bins"]]


def _tiles(record: Mapping[str, Any], answer: ask.Answer, by: str) -> list[dict[str, Any]]:
    made = tiles(answer, by)
    inside = record["by_horizon"].get(str(record["main"]), {}).get("measures", {}).get("total_inside")
    if inside:
        ends = words.interval(inside["low"], inside["high"], words.percent, 1)
        days = [group["measures"].get("total_inside", {}).get("mean") for group in record["by_period"].values()]
        said, name = f"of totals, {ends}, n = {words.number(inside['n'])}", "80% intervals held"
        value = words.percent(inside["mean"], 1)
        made.append({"name": name, "value": value, "said": said, "spark": sparkline(days, name, by)})
    return made


def begins(period: str) -> dt.datetime:
    """When a day, week or month of the record begins (UTC).

    >>> begins("2026-11-24").day, begins("2026-W48").day, begins("2026-11").day
    (24, 23, 1)
    """
    if "W" in period:
        year, week = period.split("-W")
        day = dt.date.fromisocalendar(int(year), int(week), 1)
    else:
        day = dt.date.fromisoformat(period if period.count("-") == 2 else period + "-01")
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _point(period: str, estimate: Mapping[str, Any]) -> series.Point:
    return series.Point(begins(period), estimate["mean"], estimate["low"], estimate["high"], estimate["n"])


def _over_time(record: Mapping[str, Any], by: str) -> dict[str, Any]:
    """Log loss of the forecasts and of what else there was, a point a day, week or month."""
    ours = [
        _point(period, group["measures"]["log_loss"])
        for period, group in record["by_period"].items()
        if "log_loss" in group["measures"]
    ]
    lines = [series.Series("Sealed forecasts", "a", ours)]
    others = [one for one in record["baselines"] if one["name"] != FIXED and one["by_period"]]
    for one, klass in zip(others, ("b", "quiet", "ink"), strict=False):
        lines.append(series.Series(one["name"], klass, [_point(*item) for item in one["by_period"].items()]))
    levels, title = [series.Reference("coin flip", COIN)], f"Log loss by {by} of the start (UTC)"
    return {
        "chart": series.chart(lines, levels, chart_id="over-time", title=title, decimals=4),
        "table": series.table(lines, levels, caption=title, decimals=4),
    }


def _confidence(record: Mapping[str, Any]) -> dict[str, Any]:
    """How often the likelier side won, by how sure the forecast was, beside what it stated."""
    rows = []
    for name, group in record["by_confidence"].items():
        hit = group["measures"].get("hit")
        if hit:
            rows.append(bar.Share(name, hit["mean"], hit["low"], hit["high"], hit["n"], group["stated"]))
    title = "How often the likelier side won"
    return {
        "chart": bar.shares(rows, chart_id="by-confidence", title=title),
        "table": bar.shares_table(rows, caption=title),
    }


PAGES = (Page("/record", show),)
