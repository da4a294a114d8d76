"""A row of either wire dialect to a Match or a Fixture, by the league's state machine (PROTOCOL A.7, B.2)."""

from __future__ import annotations

import dataclasses
from typing import Any

from tipoff.domain.match import Fixture, Match, MatchStatus
from tipoff.ingest.fields import BadRowError, optional_text, player, score, shown, start, text

VOID_STATUSES = ("MATCH_ABANDONED", "PERMANENT_BET_SUSPEND")
OTHER_SPORTS = ("FI", "AF")
STREAM_KEY, STREAMS = "sis-nba-", tuple("123456")


def classify(row: dict[str, Any], dialect: str) -> Match | Fixture:
    """What the row says; raises BadRowError when it cannot be believed."""
    if dialect == "h2h-2025":
        return _row_2025(row)
    return _row_2026(row)


def _row_2026(row: dict[str, Any]) -> Match | Fixture:
    fixture = _fixture(row, "externalId", ("teamA", "teamB"), ("participantAName", "participantBName"))
    a, b = score(row, "teamAScore"), score(row, "teamBScore")
    cancelled, status = row.get("isCancelled", False), row.get("matchStatus")
    if not isinstance(cancelled, bool):
        raise BadRowError("bad_cancelled", f"isCancelled is {shown(cancelled)}, not true or false")
    if cancelled:
        return _match(fixture, MatchStatus.CANCELLED, a, b)
    if status is None:
        if a is not None or b is not None:
            raise BadRowError("score_without_status", f"scores {a}-{b} on a match without a status")
        return fixture
    if status == "MATCH_ENDED":
        return _ended(fixture, a, b)
    if status in VOID_STATUSES:
        return _match(fixture, MatchStatus.VOID, a, b)
    raise BadRowError("unknown_status", f"matchStatus is {shown(status)}: not taken for a result")


def _row_2025(row: dict[str, Any]) -> Match | Fixture:
    fixture = _fixture(
        row, "fixtureExternalId", ("homeTeam", "awayTeam"), ("homeParticipantName", "awayParticipantName")
    )
    fixture = dataclasses.replace(fixture, stream=fixture.stream or _stream_2025(row))
    if "homeScore" not in row and "awayScore" not in row:
        return fixture
    a, b = score(row, "homeScore"), score(row, "awayScore")
    if row.get("matchAbandoned") is True:
        return _match(fixture, MatchStatus.VOID, a, b)
    return _ended(fixture, a, b)


def _stream_2025(row: dict[str, Any]) -> str | None:
    """The stream by the name that fixtures and the 2026 API give it; played matches have its key alone."""
    key = row.get("avaStreamId")
    number = key.removeprefix(STREAM_KEY) if isinstance(key, str) and key.startswith(STREAM_KEY) else ""
    return f"Ebasketball {number}" if number in STREAMS else None


def _fixture(row: dict[str, Any], id_key: str, teams: tuple[str, str], players: tuple[str, str]) -> Fixture:
    external_id = text(row, id_key, "bad_id")
    if external_id.startswith(OTHER_SPORTS):
        raise BadRowError("other_sport", f"{external_id} is not a basketball match")
    a, b = (player(row, key) for key in players)
    if a == b:
        raise BadRowError("same_player", f"{shown(a)} plays against themself")
    team_a, team_b = (optional_text(row, f"{key}Name", "bad_team") for key in teams)
    if team_a is not None and team_a == team_b:
        raise BadRowError("same_team", f"both sides use {shown(team_a)}")
    stream = optional_text(row, "streamName", "bad_stream")
    return Fixture(external_id, start(row, "startDate"), a, b, team_a, team_b, stream)


def _ended(fixture: Fixture, a: int | None, b: int | None) -> Match:
    """0-0 and ties are void; an ended match without both scores is refused."""
    if a is None or b is None:
        raise BadRowError("bad_score", f"the match ended but its score is {a}-{b}")
    return _match(fixture, MatchStatus.VOID if a == b else MatchStatus.FINAL, a, b)


def _match(f: Fixture, status: MatchStatus, a: int | None, b: int | None) -> Match:
    return Match(f.external_id, f.start, f.player_a, f.player_b, f.team_a, f.team_b, f.stream, status, a, b)
