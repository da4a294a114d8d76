"""A finished backtest as JSON values and as one JSON object a graded match."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from tipoff.backtest.run import Backtest
from tipoff.forecast.table import moment


def as_json(value: Any) -> Any:
    """Dataclasses to dicts, dates to ISO text, NaN to null; what is JSON already stays."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def report(backtest: Backtest) -> dict[str, Any]:
    """The whole report: window, matches, and per model every measure with its interval."""
    return {
        "window": as_json(backtest.window),
        "matches": backtest.graded.stop - backtest.graded.start,
        "matches_in_all": len(backtest.table),
        "models": as_json(backtest.models),
    }


def forecast_lines(backtest: Backtest, model: str) -> Iterator[dict[str, Any]]:
    """One object a graded match, in order of start: names, forecast and result."""
    table, made = backtest.table, backtest.forecasts[model]
    players, teams = list(table.roster.players), [*table.roster.teams, None]
    for i, row in enumerate(range(backtest.graded.start, backtest.graded.stop)):
        a, b, team_a, team_b = (int(part) for part in table.index[row, :4])
        margin, total = float(made.margin_mean[i]), float(made.total_mean[i])
        yield {
            "external_id": table.ids[row],
            "start": moment(int(table.start[row])).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "player_a": players[a],
            "player_b": players[b],
            "team_a": teams[team_a],
            "team_b": teams[team_b],
            "p_a": float(made.p_a[i]),
            "mean_a": (total + margin) / 2,
            "mean_b": (total - margin) / 2,
            "margin_mean": margin,
            "margin_sd": float(made.margin_sd[i]),
            "total_mean": total,
            "total_sd": float(made.total_sd[i]),
            "score_a": int(table.score_a[row]),
            "score_b": int(table.score_b[row]),
        }
