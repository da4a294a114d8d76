"""Whether a model's uncertainty is right for whom, as tables, from what `--json` says of it."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from tipoff.cli.output import out, wide

Told = dict[str, Any]
KINDS = {
    "experience": "known matches of the less known player", "level": "forecast total, points",
    "position": "matches already played in the session, mean of the two",
}  # fmt: skip
BLOCKS = "▁▂▃▄▅▆▇█"
LOWEST, PER_BLOCK = 0.06, 0.01
"""shares of results that the blocks stand for: up to 7 %, 8 %, ... and 13 % or more"""


def groups_tables(model: Told) -> None:
    """A table for each way to group, two rows a group: margin and total."""
    for kind, groups in model["groups"].items():
        table = Table(title=f"{model['name']}, by {KINDS[kind]}", title_justify="left", header_style="bold")
        for name in ("group", "n", "", "CRPS", "80 % covers", "z mean", "z squared", "PIT", "p"):
            table.add_column(name, no_wrap=True, justify="left" if name in ("group", "", "PIT") else "right")
        for group in groups:
            table.add_row(group["name"], str(group["n"]), *_cells("margin", group["margin"]))
            table.add_row("", "", *_cells("total", group["total"]))
        wide(table)
    out.print(
        "z = (result - mean) / deviation: right forecasts have mean 0 and square 1. PIT: share of results in each "
        "tenth of\nthe forecast, 7 % to 13 %; p: chance of one so uneven where all is right. Intervals: 95 %, days "
        "resampled.",
        highlight=False,
    )


def _cells(name: str, one: Told) -> list[str]:
    pit = one["pit"]
    blocks = "".join(BLOCKS[_height(share)] for share in pit["bins"])
    p = "-" if pit["p_uniform"] is None else f"{pit['p_uniform']:.3f}"
    return [
        name, f"{one['crps']['mean']:.2f}", _estimate(one["inside"], ".1%"), _estimate(pit["z_mean"], "+.2f"),
        _estimate(pit["z_square"], ".2f"), blocks, p,
    ]  # fmt: skip


def _height(share: float) -> int:
    return min(max(int((share - LOWEST) / PER_BLOCK), 0), len(BLOCKS) - 1)


def _estimate(found: Told, form: str) -> str:
    ends = "" if found["low"] is None else f" ({found['low']:{form}} to {found['high']:{form}})"
    return f"{found['mean']:{form}}{ends}"
