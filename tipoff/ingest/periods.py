"""The answer of a detail endpoint to points by period (PROTOCOL A.6, B.3); what does not add up is not believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tipoff.domain.match import Match
from tipoff.domain.payload import RawPayload
from tipoff.domain.period import OVERTIME, QUARTERS, Period
from tipoff.ingest.fields import BadRowError, score, shown

END = "end-match"
SIDES_2025 = ("home", "away")


def read_periods(payload: RawPayload, match: Match) -> list[Period]:
    """Four quarters, and overtime where there was one; none where the league has no figures yet.

    Raises BadRowError, with the reason, for anything else: also where the points do not add up to the result.
    """
    answer = _json(payload.body)
    if answer in ([], {}):
        return []
    periods = dict(_named_2025(answer, match) if payload.dialect == "h2h-2025" else _named_2026(answer))
    end = periods.pop(END, None)
    if not set(QUARTERS) <= periods.keys() <= {*QUARTERS, OVERTIME}:
        raise BadRowError("other_periods", f"periods are {shown(sorted(periods))}, not four quarters")
    found = [Period(name, *periods[name]) for name in (*QUARTERS, OVERTIME) if name in periods]
    result = (match.score_a, match.score_b)
    added = (sum(p.points_a for p in found), sum(p.points_b for p in found))
    if added != result or (end is not None and end != result):
        raise BadRowError("other_result", f"periods add up to {added}, the end is {end}, the result {result}")
    return found


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadRowError("invalid_json", f"{type(error).__name__}: {error}"[:200]) from error


def _named_2026(answer: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    if not isinstance(answer, list):
        raise BadRowError("not_a_list", f"the answer is {type(answer).__name__}, not an array")
    seen = set()
    for element in answer:
        name = _object(element).get("periodType")
        if not isinstance(name, str) or name in seen:
            raise BadRowError("bad_period", f"periodType is {shown(name)}, or comes twice")
        seen.add(name)
        a, b = (_points(_object(element.get(team)), "statsPoints") for team in ("teamA", "teamB"))
        yield name, (a, b)


def _named_2025(answer: Any, match: Match) -> Iterator[tuple[str, tuple[int, int]]]:
    for key, element in _object(answer).items():
        period = _object(element)
        for side, team in zip(SIDES_2025, (match.team_a, match.team_b), strict=True):
            named = period.get(f"{side}TeamName")
            if named is not None and team is not None and named != team:
                raise BadRowError("other_teams", f"the {side} team is {shown(named)}, not {shown(team)}")
        a, b = (_points(period, f"{side}Points") for side in SIDES_2025)
        yield END if key == "endMatch" else key.replace("quarter", "quarter-"), (a, b)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRowError("not_an_object", f"a period is {shown(value)}")
    return value


def _points(side: dict[str, Any], key: str) -> int:
    points = score(side, key)
    if points is None:
        raise BadRowError("bad_score", f"{key} is missing")
    return points
