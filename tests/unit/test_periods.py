"""Points by period: read where they add up, refused with a reason where not, never a surprise."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import RECORDED
from tests.wire import NOON
from tipoff.domain.match import Match, MatchStatus
from tipoff.domain.payload import DETAIL, RawPayload
from tipoff.domain.period import Period
from tipoff.ingest.fields import BadRowError
from tipoff.ingest.periods import read_periods

MATCH = Match("NB001010726", NOON, "ALPHA", "BETA", "Herons", "Rams", None, MatchStatus.FINAL, 54, 50)
POINTS = {
    "quarter-1": (12, 11), "quarter-2": (13, 12), "quarter-3": (10, 13), "quarter-4": (13, 12), "overtime": (6, 2),
}  # fmt: skip


def answer(value: Any, dialect: str = "h2h-2026") -> RawPayload:
    """A detail endpoint's answer."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return RawPayload("test", dialect, f"{DETAIL}{MATCH.external_id}", NOON.date(), NOON, body)


def rows_2026(**changes: Any) -> list[dict[str, Any]]:
    """As the 2026 API tells it; `changes` replace points of a period (with _ for -)."""
    points = {**POINTS, "end-match": (54, 50), **{key.replace("_", "-"): value for key, value in changes.items()}}
    return [
        {"periodType": name, "teamA": {"statsPoints": a, "statsDunks": None}, "teamB": {"statsPoints": b}}
        for name, (a, b) in points.items()
    ]


def object_2025(**changes: Any) -> dict[str, Any]:
    """As the 2025 API tells it, of a match without overtime."""
    points = {"quarter1": (12, 11), "quarter2": (13, 12), "quarter3": (10, 13), "quarter4": (19, 14)}
    return {
        name: {"homePoints": a, "awayPoints": b, "homeTeamName": "Herons", "awayTeamName": "Rams"}
        for name, (a, b) in {**points, **changes}.items()
    }


def test_both_generations() -> None:
    """Sides swapped, overtime lost, or the whole match taken for a period."""
    assert read_periods(answer(rows_2026()), MATCH) == [Period(n, *p) for n, p in POINTS.items()]
    read = read_periods(answer(object_2025(endMatch=(54, 50)), "h2h-2025"), MATCH)
    assert [(p.name, p.points_a) for p in read] == [
        ("quarter-1", 12), ("quarter-2", 13), ("quarter-3", 10), ("quarter-4", 19)
    ]  # fmt: skip
    assert read_periods(answer(object_2025(), "h2h-2025"), MATCH) == read


@pytest.mark.parametrize(("empty", "dialect"), [([], "h2h-2026"), ({}, "h2h-2025")])
def test_no_figures_yet(empty: Any, dialect: str) -> None:
    """An empty answer taken for a fault."""
    assert read_periods(answer(empty, dialect), MATCH) == []


SWAPPED = object_2025()
SWAPPED["quarter1"] |= {"homeTeamName": "Rams", "awayTeamName": "Herons"}


@pytest.mark.parametrize(
    ("value", "dialect", "reason"),
    [
        (b"[{", "h2h-2026", "invalid_json"),
        (b"\xff", "h2h-2026", "invalid_json"),
        (b"[" * 100_000, "h2h-2026", "invalid_json"),
        ({"error": "x"}, "h2h-2026", "not_a_list"),
        ([1], "h2h-2026", "not_an_object"),
        ("text", "h2h-2025", "not_an_object"),
        ([{"periodType": 7}], "h2h-2026", "bad_period"),
        ([*rows_2026(), rows_2026()[0]], "h2h-2026", "bad_period"),
        (rows_2026(overtime=(7, 2)), "h2h-2026", "other_result"),
        (rows_2026(end_match=(50, 54)), "h2h-2026", "other_result"),
        (rows_2026(quarter_1=(12.0, 11)), "h2h-2026", "bad_score"),
        (rows_2026(quarter_1=(-1, 11)), "h2h-2026", "bad_score"),
        (rows_2026(quarter_1=(None, 11)), "h2h-2026", "bad_score"),
        (rows_2026(quarter_1=("12", 11)), "h2h-2026", "bad_score"),
        (rows_2026(half_time=(25, 23)), "h2h-2026", "other_periods"),
        (rows_2026()[:3], "h2h-2026", "other_periods"),
        (object_2025(quarter4=(13, 12)), "h2h-2025", "other_result"),
        (SWAPPED, "h2h-2025", "other_teams"),
    ],
)
def test_what_does_not_add_up_is_refused(value: Any, dialect: str, reason: str) -> None:
    """A quarter that nobody played, believed."""
    with pytest.raises(BadRowError) as caught:
        read_periods(answer(value, dialect), MATCH)
    assert caught.value.reason == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["periodType", "teamA", "teamB", "statsPoints", "quarter1", "homePoints"]), inner
        )
    ),
    max_leaves=20,
)


@settings(max_examples=50)
@given(JSON, st.sampled_from(["h2h-2026", "h2h-2025"]))
def test_nothing_surprises_it(value: Any, dialect: str) -> None:
    """An answer that ends the run for every other match."""
    with contextlib.suppress(BadRowError):
        assert read_periods(answer(value, dialect), MATCH) == []


def test_a_recorded_answer_of_the_2025_api() -> None:
    """A shape that only our own server sends."""
    sample = RECORDED / "samples" / "2025_match_stats_NB052120625.json"
    if not sample.exists():
        pytest.skip(f"no recorded sample at {sample}")
    real = json.loads(sample.read_text())["statistics"]
    start = dt.datetime(2025, 6, 12, 7, tzinfo=dt.UTC)
    match = dataclasses.replace(
        MATCH, start=start, team_a="Los Angeles Lakers", team_b="Boston Celtics", score_a=48, score_b=71
    )
    read = read_periods(answer(real, "h2h-2025"), match)
    assert [(p.points_a, p.points_b) for p in read] == [(12, 21), (11, 16), (13, 17), (12, 17)]
