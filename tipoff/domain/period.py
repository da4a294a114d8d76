"""Points of a match by period."""

from __future__ import annotations

import dataclasses

QUARTERS = ("quarter-1", "quarter-2", "quarter-3", "quarter-4")
OVERTIME = "overtime"


@dataclasses.dataclass(frozen=True, slots=True)
class Period:
    """Points of both sides in a quarter, or in overtime; knowable when the result of the match is, never before."""

    name: str
    points_a: int
    points_b: int
