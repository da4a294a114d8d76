"""The figures of docs/forecast.md: what each addition is worth, and what all of them cost."""

from __future__ import annotations

from typing import Any

MEASURES = {
    "log_loss": "log loss", "margin_error": "MAE margin", "total_error": "MAE total", "margin_crps": "CRPS margin",
    "total_crps": "CRPS total", "margin_log_score": "log score margin", "total_log_score": "log score total",
}  # fmt: skip
NOTHING = 0.00025
"""nats or points that no table shows"""


def worth(found: dict[str, Any]) -> str:
    """Markdown: the additions one after another, each left out, later days, a cold start, costs."""
    return "\n".join([*_one_by_one(found), *_left_out(found), *_cold(found["cold_start"]), *_costs(found["costs"])])


def _one_by_one(found: dict[str, Any]) -> list[str]:
    rows = found["cumulative"]
    plain, whole = rows[0]["covered"], rows[-1]["covered"]
    parts = {"all": f"{found['matches']:,} matches", "later": f"later half of the days, {found['later']:,} matches"}
    return [
        f"{found['matches']:,} real matches, {found['first']} to {found['last']}, each forecast two minutes ahead "
        f"from what was knowable; values fitted on matches until {found['fit_until']}, for each row anew. Each row "
        "has one addition more than the row above:",
        *_table("model", [(_plus(row), _means(row["means"])) for row in rows]),
        f"80 % intervals cover {whole['margin']:.1%} of margins and {whole['total']:.1%} of totals with all of them "
        f"({plain['margin']:.1%} and {plain['total']:.1%} without).",
        "",
        "How far late newcomers are from others is built in as later matches showed it. With the built-in value of "
        "everybody else, so that the fit knows nothing from after its day, all of them score:",
        *_table("", [("without hindsight", _means(found["without_hindsight"]))]),
        "What each changes against the row above it, with the 95 % interval (bold: zero lies outside; -: nothing "
        "to speak of):",
        *_table("addition", [
            *((row["adds"], _differences(row["step"]["all"])) for row in rows[1:]),
            *((f"all of them, {said}", _differences(rows[-1]["from_plain"][part])) for part, said in parts.items()),
        ]),
    ]  # fmt: skip


def _left_out(found: dict[str, Any]) -> list[str]:
    def rows(part: str) -> list[tuple[str, str]]:
        return [(name, _differences(of[part])) for name, of in found["left_out"].items()]

    cold = found["cold_start"]["left_out"]
    helps = [
        name
        for name, of in found["left_out"].items()
        if any(_below_zero(part[one]) for part in (of["all"], cold[name]) for one in MEASURES)
    ]
    others = [name for name in found["left_out"] if name not in helps]
    return [
        "The whole model less the one without that addition alone, fitted anew:",
        *_table("without", rows("all")),
        "At least one interval lies below zero, here or in the cold start below: "
        f"{', '.join(helps)}. None does: {', '.join(others) or 'no other'}.",
        "",
        f"The same on the later half of the days ({found['later']:,} matches):",
        *_table("without", rows("later")),
    ]


def _cold(found: dict[str, Any]) -> list[str]:
    return [
        f"Cold start: the first {found['days']} days of the record ({found['matches']:,} matches, nothing known "
        "before them), built-in values, all additions less none:",
        *_table("", [("all of them", _differences(found["from_plain"]))]),
        "There, the whole model less the one without that addition alone:",
        *_table("without", [(name, _differences(of)) for name, of in found["left_out"].items()]),
    ]


def _below_zero(one: dict[str, float]) -> bool:
    return one["high"] < 0 and one["mean"] < -NOTHING


def _table(first: str, rows: list[tuple[str, str]]) -> list[str]:
    head = [f"| {first} | {' | '.join(MEASURES.values())} |", "|---|" + "---|" * len(MEASURES)]
    return ["", *head, *(f"| {name} | {said} |" for name, said in rows), ""]


def _plus(row: dict[str, Any]) -> str:
    return f"+ {row['adds']}" if row["adds"] else "plain structure"


def _means(means: dict[str, float]) -> str:
    return " | ".join(f"{means[name]:.{4 if 'log' in name else 3}f}" for name in MEASURES)


def _differences(of: dict[str, Any]) -> str:
    return " | ".join(_difference(of[name]) for name in MEASURES)


def _difference(one: dict[str, float]) -> str:
    """With its interval; bold where zero lies outside, a dash where next to nothing changes."""
    if max(abs(one[end]) for end in ("mean", "low", "high")) < NOTHING:
        return "-"
    said = f"{one['mean']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f})"
    return f"**{said}**" if one["low"] > 0 or one["high"] < 0 else said


def _costs(costs: dict[str, Any]) -> list[str]:
    """One row a way to measure, one column a model."""
    columns = [costs["before"], costs["plain"], costs["all"]]
    rows = {
        "matches learned a second, both filters": lambda c: f"{c['learned_a_second']:,.0f}",
        "the same, each first forecast two minutes ahead": lambda c: f"{c['matches_a_second']:,.0f}",
        "seconds to fit, cold": lambda c: f"{c['cold_seconds']:.1f}",
        "seconds to fit again a day later": lambda c: f"{c['warm_seconds']:.1f}",
        "peak memory": lambda c: f"{c['peak_mb']:.0f} MB",
        "state: save / load": lambda c: f"{c['save_ms']:.0f} / {c['load_ms']:.0f} ms",
        "state: dense states, size": lambda c: f"{c['states']}, {c['state_bytes'] / 1000:,.0f} KB",
    }
    return [
        f"What it costs on {columns[0]['matches']:,} matches, fitted on {columns[0]['fitted_on']:,}, kernels "
        "compiled before, seconds of one core:",
        "",
        f"| | plain, commit `{costs['commit_before']}` | plain, now | all additions |",
        "|---|---|---|---|",
        *(f"| {name} | {' | '.join(map(say, columns))} |" for name, say in rows.items()),
    ]
