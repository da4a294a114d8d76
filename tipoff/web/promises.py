"""What a model promised before it forecast against what its sealed forecasts scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

SEALED_NAME = 12
"""letters of a model's hash by which the record names it"""


@dataclasses.dataclass(frozen=True, slots=True)
class Measure:
    """A measure as people read it: `share`: in per cent; `better`: whether more, less or neither is better."""

    name: str
    title: str
    share: bool = False
    better: str = "less"

    @property
    def digits(self) -> int:
        """After the point."""
        return 4 if self.name in ("log_loss", "brier", "over_log_loss") else 2


MEASURES = (
    Measure("log_loss", "Log loss"), Measure("brier", "Brier score"),
    Measure("hit", "Called right", share=True, better="more"),
    Measure("margin_error", "Margin off by, points"), Measure("total_error", "Total off by, points"),
    Measure("margin_crps", "Margin, CRPS"), Measure("total_crps", "Total, CRPS"),
    Measure("over_log_loss", "Log loss of over and under"),
    Measure("margin_inside", "80% intervals of the margin held", share=True, better="neither"),
    Measure("total_inside", "80% intervals of the total held", share=True, better="neither"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Promise:
    """Both estimates of a measure and what they say together."""

    measure: Measure
    promised: Mapping[str, Any] | None
    sealed: Mapping[str, Any] | None
    kind: str
    said: str


def promises(model: Mapping[str, Any], record: Mapping[str, Any] | None) -> list[Promise]:
    """A row a measure that either knows."""
    group = (record or {}).get("by_model", {}).get(model["sha256"][:SEALED_NAME], {})
    sealed = group.get("measures", {})
    return [
        Promise(m, promised, scored, *_said(m, promised, scored))
        for m in MEASURES
        for promised, scored in [(model["estimates"].get(m.name), sealed.get(m.name))]
        if promised or scored
    ]


def _said(measure: Measure, promised: Mapping[str, Any] | None, sealed: Mapping[str, Any] | None) -> tuple[str, str]:
    """Intervals that overlap cannot be told apart; where they do not, which way it went."""
    if not promised or not sealed or None in (promised["low"], promised["high"], sealed["low"], sealed["high"]):
        return "", "cannot be judged yet"
    more, less = sealed["low"] > promised["high"], sealed["high"] < promised["low"]
    if not more and not less:
        return "good", "as promised"
    if measure.better == "neither":
        return "warn", "more often than promised" if more else "less often than promised"
    return ("good", "better than promised") if more == (measure.better == "more") else ("bad", "worse than promised")
