"""Which match a posted price is of: by the league's id, or by both players and the start.

Bookmakers name sides in either order and spell names in their own way; their starts are the league's to the minute
unless a match was moved. The same two meet again after half an hour at the earliest.
"""

from __future__ import annotations

import bisect
import dataclasses
import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Iterable

from tipoff.domain.match import Fixture
from tipoff.domain.quote import Posted, Quote, Unmatched

NEAR = dt.timedelta(minutes=15)
"""by how much a start may differ when both players agree"""
EXACT = dt.timedelta(minutes=1)
"""by how much where one name is only alike"""
ALIKE = 0.75
"""least likeness of a name that is spelled in another way, beside one that agrees"""
HANDLE = re.compile(r"\(([^()]+)\)\s*$")
"""the player in "DEN Nuggets (LANES)\""""
TURNED = {"team_total_a": "team_total_b", "team_total_b": "team_total_a"}


@dataclasses.dataclass(frozen=True, slots=True)
class Matching:
    """Quotes of known matches, what stayed without one, and what it took to find them."""

    quotes: list[Quote]
    unmatched: list[Unmatched]
    swapped: int
    """quotes whose file names the sides the other way round"""
    respelled: int
    """quotes whose file spells a player in another way"""


@dataclasses.dataclass(frozen=True, slots=True)
class _Sides:
    swapped: bool
    alike: bool


def match_quotes(posted: Iterable[Posted], fixtures: Iterable[Fixture]) -> Matching:
    """The match of each quote among `fixtures`, with side A of the quote being side A of the match."""
    matcher, quotes, unmatched = _Matcher(fixtures), [], []
    swapped = respelled = 0
    for one in posted:
        found = matcher.find(one)
        if isinstance(found, Unmatched):
            unmatched.append(found)
            continue
        fixture, sides = found
        swapped += sides.swapped
        respelled += sides.alike
        quotes.append(_turned(one, fixture) if sides.swapped else _plain(one, fixture))
    return Matching(quotes, unmatched, swapped, respelled)


class _Matcher:
    def __init__(self, fixtures: Iterable[Fixture]) -> None:
        self._by_id = {f.external_id: f for f in fixtures}
        self._ordered = sorted(self._by_id.values(), key=lambda f: f.start)
        self._starts = [f.start for f in self._ordered]

    def find(self, posted: Posted) -> tuple[Fixture, _Sides] | Unmatched:
        fixture = self._by_id.get(posted.external_id or "")
        if fixture is None:
            return self._by_players(posted)
        if posted.player_a is None or posted.player_b is None:
            return fixture, _Sides(swapped=False, alike=False)
        sides = _sides(posted.player_a, posted.player_b, fixture)
        if sides is None:
            said = f"{posted.external_id} is {fixture.player_a} against {fixture.player_b}, not {_who(posted)}"
            return Unmatched(posted, "other_players", said)
        return fixture, sides

    def _by_players(self, posted: Posted) -> tuple[Fixture, _Sides] | Unmatched:
        if posted.start is None or posted.player_a is None or posted.player_b is None:
            return Unmatched(posted, "no_such_match", f"no match with the id {posted.external_id} is known")
        found = []
        begin = bisect.bisect_left(self._starts, posted.start - NEAR)
        end = bisect.bisect_right(self._starts, posted.start + NEAR)
        for fixture in self._ordered[begin:end]:
            sides = _sides(posted.player_a, posted.player_b, fixture)
            away = abs(fixture.start - posted.start)
            if sides is not None and (not sides.alike or away <= EXACT):
                found.append((sides.alike, away, fixture, sides))
        found.sort(key=lambda one: one[:2])
        if not found:
            near = f"within {NEAR.seconds // 60} minutes of {posted.start:%Y-%m-%d %H:%M}"
            return Unmatched(posted, "no_such_match", f"nobody like {_who(posted)} plays {near}")
        if len(found) > 1 and (found[0][1] > EXACT or found[0][:2] == found[1][:2]):
            said = f"{found[0][2].external_id} or {found[1][2].external_id} may be meant by {_who(posted)}"
            return Unmatched(posted, "ambiguous", said)
        return found[0][2], found[0][3]


def _sides(a: str, b: str, fixture: Fixture) -> _Sides | None:
    """How two names of a file fit a match; None where they do not."""
    given, known = (_key(a), _key(b)), (_key(fixture.player_a), _key(fixture.player_b))
    for alike in (False, True):
        for swapped, pair in ((False, known), (True, known[::-1])):
            agree = [x == y for x, y in zip(given, pair, strict=True)]
            if all(agree):
                return _Sides(swapped, alike=False)
            if alike and any(agree) and all(map(_alike, given, pair)):
                return _Sides(swapped, alike=True)
    return None


def _key(name: str) -> str:
    """A name without what bookmakers change: case, spaces, signs, the team before a player in brackets."""
    handle = HANDLE.search(name)
    text = unicodedata.normalize("NFKC", handle.group(1) if handle else name).upper().strip()
    return "".join(c for c in text if c.isalnum()) or text


def _alike(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one, other).ratio() >= ALIKE


def _who(posted: Posted) -> str:
    return f"{posted.player_a} against {posted.player_b}"


def _plain(p: Posted, fixture: Fixture) -> Quote:
    return Quote(fixture.external_id, p.bookmaker, p.market, p.line, p.over, p.under, p.quoted_at)


def _turned(p: Posted, fixture: Fixture) -> Quote:
    """The same quote seen from the other side; a total has none."""
    if p.market == "total":
        return _plain(p, fixture)
    if p.market in TURNED:
        return Quote(fixture.external_id, p.bookmaker, TURNED[p.market], p.line, p.over, p.under, p.quoted_at)
    line = None if p.line is None else 0.0 - p.line
    return Quote(fixture.external_id, p.bookmaker, p.market, line, p.under, p.over, p.quoted_at)
