"""The state machine: one row at a time."""

from __future__ import annotations

import pytest

from tests.wire import NOON, fixture, payload, row
from tipoff.domain.match import MatchStatus
from tipoff.ingest.parse import parse


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, MatchStatus.FINAL),
        ({"teamAScore": 0, "teamBScore": 0}, MatchStatus.VOID),
        ({"teamAScore": 67, "teamBScore": 67}, MatchStatus.VOID),
        ({"matchStatus": "MATCH_ABANDONED", "teamAScore": 13, "teamBScore": 17}, MatchStatus.VOID),
        ({"matchStatus": "PERMANENT_BET_SUSPEND", "teamAScore": 55, "teamBScore": 60}, MatchStatus.VOID),
        ({"isCancelled": True, "matchStatus": None, "teamAScore": None, "teamBScore": None}, MatchStatus.CANCELLED),
    ],
)
def test_what_is_over(changes: dict[str, object], status: MatchStatus) -> None:
    """A void row learned as a result."""
    parsed = parse(payload([row(**changes)], NOON))
    assert [m.status for m in parsed.matches] == [status]
    assert not parsed.rejected


def test_no_status_and_no_score_is_a_fixture() -> None:
    """A fixture taken for a 0-0."""
    parsed = parse(payload([fixture(1, NOON)], NOON))
    assert [f.external_id for f in parsed.fixtures] == ["NB001010726"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"matchStatus": "MATCH_PAUSED"}, "unknown_status"),
        ({"matchStatus": None}, "score_without_status"),
        ({"teamAScore": "55"}, "bad_score"),
        ({"teamAScore": 55.0}, "bad_score"),
        ({"teamAScore": True}, "bad_score"),
        ({"teamAScore": -1}, "bad_score"),
        ({"teamAScore": 10**40}, "bad_score"),
        ({"teamAScore": float("nan")}, "bad_score"),
        ({"teamAScore": None}, "bad_score"),
        ({"startDate": "2026-07-01T12:00:00"}, "bad_start"),
        ({"startDate": "yesterday"}, "bad_start"),
        ({"startDate": "0001-01-01T00:00:00+14:00"}, "bad_start"),
        ({"participantAName": "  "}, "bad_player"),
        ({"participantAName": "A\u0000B"}, "bad_text"),
        ({"participantAName": "\ud800"}, "bad_text"),
        ({"participantBName": "player 1"}, "same_player"),
        ({"teamBName": "Harbor Herons"}, "same_team"),
        ({"externalId": "FI001010726"}, "other_sport"),
        ({"isCancelled": "no"}, "bad_cancelled"),
    ],
)
def test_a_row_that_cannot_be_believed_is_refused_with_a_reason(changes: dict[str, object], reason: str) -> None:
    """A bad row believed, or one that takes the others with it."""
    parsed = parse(payload([row(1, **changes), row(2)], NOON))
    assert [r.reason for r in parsed.rejected] == [reason]
    assert [m.external_id for m in parsed.matches] == ["NB002010726"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe[", "bad_encoding"),
        (b"[{", "invalid_json"),
        (b'{"error": "no"}', "not_a_list"),
        (b"[" * 200_000, "too_deep"),
        (b'[{"a": 1, "a": 2}]', "duplicate_keys"),
        (b"[3]", "not_an_object"),
    ],
)
def test_a_payload_of_another_kind(body: bytes, reason: str) -> None:
    """A crash on what a server in trouble sends."""
    assert [r.reason for r in parse(payload(body, NOON)).rejected] == [reason]


def test_the_row_that_says_more_wins() -> None:
    """A fixture row that hides its own result, or a conflict nobody sees."""
    parsed = parse(payload([fixture(1, NOON), row(1), row(1)], NOON))
    assert len(parsed.matches) == 1
    assert not parsed.fixtures
    assert [r.reason for r in parsed.rejected] == ["conflicting_duplicate"]


def test_the_2025_dialect() -> None:
    """Home and away swapped, or null flags taken for facts."""
    wire = {
        "fixtureExternalId": "NB001010726",
        "startDate": "2026-07-01T12:00:00Z",
        "homeParticipantName": "ALPHA",
        "awayParticipantName": "BETA",
        "homeTeamName": "Harbor Herons",
        "awayTeamName": "Granite Rams",
        "streamName": "Ebasketball 1",
        "homeScore": 40,
        "awayScore": 44,
        "matchEnded": None,
        "matchAbandoned": None,
    }
    played = parse(payload([wire], NOON, dialect="h2h-2025")).matches[0]
    assert (played.player_a, played.score_a, played.status) == ("ALPHA", 40, MatchStatus.FINAL)
    planned = {key: value for key, value in wire.items() if not key.endswith("Score")}
    assert len(parse(payload([planned], NOON, dialect="h2h-2025")).fixtures) == 1
