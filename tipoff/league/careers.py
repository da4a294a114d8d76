"""Career aggregates as the league's participant and head-to-head pages give them: a truthful subset of the keys."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tipoff.league.book import MatchBook
from tipoff.league.schedule import over, row

SPAN = dt.timedelta(days=61)
FORM = 10


def careers(book: MatchBook, now: dt.datetime) -> dict[str, dict[str, Any]]:
    """Each player's aggregates over the last 61 days, by handle."""
    found: dict[str, dict[str, Any]] = {}
    for mine, _, points, against in _games(book, now):
        career = found.setdefault(mine, _nothing(mine))
        career["matchesPlayed"] += 1
        career["matchesWon" if points > against else "matchesLost"] += 1
        career["pointsFor"] += points
        career["pointsAgainst"] += against
        career["matchForm"] = (["w" if points > against else "l"] + career["matchForm"])[:FORM]
    for number, name in enumerate(sorted(found), 1):
        career, played = found[name], found[name]["matchesPlayed"]
        career["participantId"] = number
        career["matchesWinPct"] = float(round(100 * career["matchesWon"] / played))
        career["pointDifference"] = career["pointsFor"] - career["pointsAgainst"]
        career["avgPoints"], career["cntPoints"] = round(career["pointsFor"] / played, 2), played
        career["totalPoints"] = career["pointsFor"]
    return found


def head_to_head(book: MatchBook, now: dt.datetime, a: str, b: str) -> dict[str, Any] | None:
    """What A did against B, newest first, and both careers; None when one of them is unknown."""
    known = careers(book, now)
    if a not in known or b not in known:
        return None
    meetings = ["w" if points > against else "l" for mine, other, points, against in _games(book, now)
                if (mine, other) == (a, b)]  # fmt: skip
    return {"h2H": meetings[::-1], "participantAStats": known[a], "participantBStats": known[b]}


def match_head_to_head(book: MatchBook, now: dt.datetime, external_id: str) -> dict[str, Any] | None:
    """The same for the two players of a match, played or to come, with who they are and what they use."""
    matches = book.matches(now - SPAN, now + dt.timedelta(days=1))
    match = next((m for m in matches if m.external_id == external_id and m.published_at <= now), None)
    answer = head_to_head(book, now, match.player_a, match.player_b) if match else None
    if match is None or answer is None:
        return None
    names = ("participantAName", "participantBName", "teamAName", "teamBName")
    shown = row(match, now)
    return answer | {"matchDetails": {name: shown[name] for name in names}}


def _games(book: MatchBook, now: dt.datetime) -> list[tuple[str, str, int, int]]:
    """(player, opponent, points, points against) of every result that counts, each from both sides."""
    games = []
    for match in book.matches(now - SPAN, now):
        shown = row(match, now)
        a, b = shown["teamAScore"], shown["teamBScore"]
        if over(match, now) and match.status == "MATCH_ENDED" and a != b:
            games += [(match.player_a, match.player_b, a, b), (match.player_b, match.player_a, b, a)]
    return games


def _nothing(name: str) -> dict[str, Any]:
    counts = ("matchesPlayed", "matchesWon", "matchesLost", "pointsFor", "pointsAgainst")
    return {"participantId": 0, "participantName": name, **dict.fromkeys(counts, 0), "matchForm": []}
