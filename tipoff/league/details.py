"""Points and box scores by period, as both generations' detail endpoints give them (PROTOCOL A.6, B.3).

Only simulated matches have any: nothing is made up about real ones. A few never do, as in the real league.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from tipoff.league import schedule
from tipoff.league.book import BookedMatch, MatchBook

STATS = (
    "Assists", "BenchPoints", "Blocks", "DefensiveRebounds", "Dunks", "FastBreakPoints", "FieldGoalsAttempted",
    "FieldGoalsPercent", "FieldGoalsScored", "FreeThrowsAttempted", "FreeThrowsPercent", "FreeThrowsScored",
    "OffensiveRebounds", "PointsInThePaint", "SecondChancePoints", "Steals", "TeamFouls", "Turnovers",
    "TurnoversPointsOff",
)  # fmt: skip
AT_THE_END = ("BiggestLead", "TimeOfPossession", "TimeoutsRemaining")
"""mean something for the whole match alone"""
SHOTS = ("PointersAttempted", "PointersPercent", "PointersScored")
END = "end-match"
QUARTERS = ("quarter-1", "quarter-2", "quarter-3", "quarter-4")
NEVER = 0.02
"""share of matches without any"""
EXTRA = 0.5
"""share of close matches that went into overtime"""
Points = dict[str, tuple[int, int]]


def found(book: MatchBook, external_id: str, now: dt.datetime) -> BookedMatch | None:
    """The match, once its result and its details show."""
    try:
        day = dt.datetime.strptime(external_id[5:], "%d%m%y").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    for match in book.matches(day, day + schedule.DAY):
        if match.external_id == external_id and schedule.over(match, now) and match.p_true is not None:
            return None if random.Random(external_id).random() < NEVER else match
    return None


def points(match: BookedMatch, now: dt.datetime) -> Points:
    """Points of both sides by period, which add up to the result that shows now; then the whole match."""
    row = schedule.row(match, now)
    end = (int(row["teamAScore"]), int(row["teamBScore"]))
    luck = random.Random(f"{match.external_id} periods")
    lower = min(end)
    extra = lower >= 40 and 0 < abs(end[0] - end[1]) <= 6 and luck.random() < EXTRA
    tied = (lower - 6, lower - 6) if extra else end
    quarters = list(zip(*(_split(luck, side) for side in tied), strict=True))
    shown = dict(zip(QUARTERS, quarters, strict=True))
    if extra:
        shown["overtime"] = (end[0] - tied[0], end[1] - tied[1])
    return {**shown, END: end}


def _split(luck: random.Random, whole: int) -> list[int]:
    """Four quarters of about the same size."""
    cuts = sorted(round(whole * (share + luck.uniform(-0.07, 0.07))) for share in (0.25, 0.5, 0.75))
    return [b - a for a, b in zip([0, *cuts], [*cuts, whole], strict=True)]


def wire_2026(match: BookedMatch, now: dt.datetime) -> list[dict[str, Any]]:
    """An element a period, sides apart."""
    return [
        {"periodType": period, **{
            team: {"statsPoints": n, **_box(match, period, team, "statsThree", "stats")}
            for team, n in zip(("teamA", "teamB"), sides, strict=True)
        }}
        for period, sides in points(match, now).items()
    ]  # fmt: skip


def wire_2025(match: BookedMatch, now: dt.datetime) -> dict[str, Any]:
    """A key a period, sides together; it knows no overtime, and now and then lacks the whole match."""
    shown = {}
    for period, sides in points(match, now).items():
        if period == "overtime" or (period == END and random.Random(f"{match.external_id} end").random() < 1 / 3):
            continue
        name = "endMatch" if period == END else period.replace("-", "")
        shown[name] = {"gameStatsPeriod": period, "fixtureId": int(match.external_id[2:])}
        for side, team, n in zip(("home", "away"), (match.team_a, match.team_b), sides, strict=True):
            shown[name] |= {f"{side}Points": n, f"{side}TeamName": team}
            shown[name] |= _box(match, period, side, f"{side}3", side)
    return shown


def _box(match: BookedMatch, period: str, side: str, three: str, plain: str) -> dict[str, int | None]:
    """The other figures of a side, invented; names begin with `plain`, those of three-pointers with `three`."""
    luck = random.Random(f"{match.external_id} {period} {side}")
    whole = period == END
    return {
        **{f"{plain}{name}": luck.randrange(20) for name in STATS},
        **{f"{three}{name}": luck.randrange(10) for name in SHOTS},
        **{f"{plain}{name}": luck.randrange(20) if whole else None for name in AT_THE_END},
    }
