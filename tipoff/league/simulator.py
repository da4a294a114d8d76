"""A generative league: any day can be computed on its own, and the same seed gives the same matches.

A league day runs from 05:55 UTC to 05:07 the next morning in two shifts of two blocks. A player has one
home shift for ever, so sessions never merge. In a shift a stream hosts four players of one tier, who meet
round robin; in a block each uses one team of one closed group.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import math

import numpy as np
from numpy.typing import NDArray

from tipoff.league.book import BookedMatch, Correction
from tipoff.league.effects import STREAMS, Effects, generator
from tipoff.league.names import GROUPS, TEAMS, handles
from tipoff.league.truth import LeagueSettings

SHIFTS = (dt.timedelta(hours=5, minutes=55), dt.timedelta(hours=17, minutes=55))
SLOTS = 22
"""matches of a stream in a shift; the first half is one block, the second the other"""
CADENCE = dt.timedelta(minutes=32)
STAGGER = dt.timedelta(minutes=4)
ROUNDS = ((0, 1), (2, 3), (0, 2), (1, 3), (0, 3), (1, 2))
CACHE_DAYS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class _Slot:
    """A match before it has an id: player indices, teams, and what came of it."""

    start: dt.datetime
    stream: int
    players: tuple[int, int]
    teams: tuple[int, int]
    p_true: float
    score: tuple[int, int]
    status: str
    length: int
    stands_in_for: tuple[int, dt.datetime] | None
    """player who withdrew from side A, and when"""
    correction: Correction | None


class League:
    """The matches of a simulated league."""

    def __init__(self, settings: LeagueSettings | None = None) -> None:
        self.settings = settings or LeagueSettings()
        n = self.settings.players
        self._names = handles(n)
        rng = generator(self.settings.seed, 0)
        self._shift = np.arange(n) % 2
        self._tier = (np.arange(n) // 2 // self.settings.tier_size) * 2 + self._shift
        newcomers = rng.random(n) < self.settings.newcomer_share
        self._joined = np.where(newcomers, rng.integers(1, 365, n), 0)
        self._effects = (Effects(self.settings, 0, self._tier), Effects(self.settings, 1, self._tier))
        self._days: collections.OrderedDict[int, list[_Slot]] = collections.OrderedDict()

    def players(self) -> list[str]:
        """Every handle, sorted."""
        return sorted(self._names)

    def matches(self, begin: dt.datetime, end: dt.datetime) -> list[BookedMatch]:
        """Matches that start in [begin, end), by start; withdrawn ones included."""
        day, found = begin.astimezone(dt.UTC).date(), []
        while dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC) < end:
            found += [m for m in self._calendar_day(day) if begin <= m.start < end]
            day += dt.timedelta(days=1)
        return found

    def _calendar_day(self, day: dt.date) -> list[BookedMatch]:
        number = (day - self.settings.epoch).days
        slots = [s for d in (number - 1, number) if d >= 0 for s in self._day(d) if s.start.date() == day]
        slots.sort(key=lambda s: (s.start, s.stream))
        booked, late = [], len(slots)
        for sequence, slot in enumerate(slots, 1):
            if slot.stands_in_for is None:
                booked.append(self._book(slot, sequence))
            else:
                late += 1
                booked += [self._withdrawn(slot, sequence), self._book(slot, late)]
        return booked

    def _day(self, day: int) -> list[_Slot]:
        if day not in self._days:
            if len(self._days) >= CACHE_DAYS:
                self._days.popitem(last=False)
            rng = generator(self.settings.seed, 3, day)
            self._days[day] = [slot for shift in (0, 1) for slot in self._play_shift(rng, day, shift)]
        return self._days[day]

    def _play_shift(self, rng: np.random.Generator, day: int, shift: int) -> list[_Slot]:
        slots = []
        for stream, group in enumerate(self._groups(rng, day, shift)):
            spare = [p for p in self._present(day, shift) if self._tier[p] == self._tier[group[0]]]
            spare = [p for p in spare if p not in group] or [group[0]]
            form = [rng.normal(0, math.sqrt(e.truth.v_session), 4) for e in self._effects]
            for block in range(2):
                teams = rng.permutation(4) + 4 * int(rng.integers(len(GROUPS)))
                fresh = [rng.normal(0, math.sqrt(e.truth.v_player_team_session), 4) for e in self._effects]
                extra = [form[f] + fresh[f] for f in range(2)]
                order = rng.permutation(4)
                for i in range(block * SLOTS // 2, (block + 1) * SLOTS // 2):
                    pair = ROUNDS[i % len(ROUNDS)]
                    sides = (int(order[pair[0]]), int(order[pair[1]]))
                    sides = sides if rng.random() < 0.5 else sides[::-1]
                    start = self._midnight(day) + SHIFTS[shift] + i * CADENCE + stream * STAGGER
                    slots.append(self._play(rng, day, start, stream, group, teams, sides, extra, spare))
        return slots

    def _midnight(self, day: int) -> dt.datetime:
        return dt.datetime.combine(self.settings.epoch, dt.time(), tzinfo=dt.UTC) + dt.timedelta(days=day)

    def _present(self, day: int, shift: int) -> list[int]:
        return [int(p) for p in np.flatnonzero((self._shift == shift) & (self._joined <= day))]

    def _groups(self, rng: np.random.Generator, day: int, shift: int) -> list[list[int]]:
        """Six groups of four players of one tier each."""
        by_tier: dict[int, list[int]] = collections.defaultdict(list)
        present = self._present(day, shift)
        for player in rng.permutation(present).tolist():
            by_tier[int(self._tier[player])].append(player)
        groups = [members[i : i + 4] for members in by_tier.values() for i in range(0, len(members) - 3, 4)]
        chosen = rng.permutation(len(groups))[:STREAMS]
        return [groups[int(i)] for i in chosen]

    def _play(
        self, rng: np.random.Generator, day: int, start: dt.datetime, stream: int, group: list[int],
        teams: NDArray[np.int64], sides: tuple[int, int], extra: list[NDArray[np.float64]], spare: list[int],
    ) -> _Slot:  # fmt: skip
        players = (group[sides[0]], group[sides[1]])
        used = (int(teams[sides[0]]), int(teams[sides[1]]))
        mean = [self._mean(f, day, stream, players, used, sides, extra[f]) for f in range(2)]
        r = [effects.truth.r for effects in self._effects]
        margin = mean[0] + math.sqrt(r[0]) * rng.standard_normal()
        total = mean[1] + math.sqrt(r[1]) * rng.standard_normal()
        luck = rng.random(4)
        score, status = _score(margin, total, int(1 + 7 * luck[3])), "MATCH_ENDED"
        if luck[0] < self.settings.void_rate:
            status = ("MATCH_ABANDONED", "PERMANENT_BET_SUSPEND", "MATCH_ENDED")[int(luck[3] * 3)]
            score = (0, 0) if status == "MATCH_ENDED" else (score[0] // 4, score[1] // 4)
        length = int(rng.integers(24, 33))
        out = None
        if luck[1] < self.settings.withdrawal_rate:
            out = (int(rng.choice(spare)), start - dt.timedelta(minutes=int(rng.integers(5, 50))))
        correction = None
        if luck[2] < self.settings.correction_rate and status == "MATCH_ENDED":
            at = start + dt.timedelta(minutes=int(rng.integers(90, 480)))
            better = (score[0] + 2, score[1]) if margin > 0 else (score[0], score[1] + 2)
            correction = Correction(at, *((0, 0) if luck[3] < 0.5 else better))
        p_true = 0.5 * (1 + math.erf(mean[0] / math.sqrt(2 * r[0])))
        return _Slot(start, stream, players, used, p_true, score, status, length, out, correction)

    def _mean(
        self, f: int, day: int, stream: int, players: tuple[int, int], teams: tuple[int, int],
        sides: tuple[int, int], extra: NDArray[np.float64],
    ) -> float:  # fmt: skip
        effects = self._effects[f]
        strength, team = effects.strengths(day)
        parts = [
            float(strength[p] + team[t] + effects.player_team[p, t] + extra[side])
            for p, t, side in zip(players, teams, sides, strict=True)
        ]
        pair = float(effects.pair[players]) + effects.truth.base + float(effects.stream[stream])
        return pair + parts[0] + (parts[1] if f else -parts[1])

    def _book(self, slot: _Slot, sequence: int) -> BookedMatch:
        published = _published(slot.start) if slot.stands_in_for is None else slot.stands_in_for[1]
        return BookedMatch(
            _external_id(slot.start, sequence), slot.start, self._names[slot.players[0]],
            self._names[slot.players[1]], TEAMS[slot.teams[0]], TEAMS[slot.teams[1]],
            f"Ebasketball {slot.stream + 1}", published, slot.start + dt.timedelta(minutes=slot.length),
            slot.status, *slot.score, p_true=slot.p_true, correction=slot.correction,
        )  # fmt: skip

    def _withdrawn(self, slot: _Slot, sequence: int) -> BookedMatch:
        assert slot.stands_in_for is not None  # noqa: S101 - the caller has asked
        player, at = slot.stands_in_for
        played = self._book(slot, sequence)
        return dataclasses.replace(
            played, player_a=self._names[player] if player != slot.players[1] else played.player_a,
            published_at=_published(slot.start), withdrawn_at=at, p_true=None, correction=None,
        )  # fmt: skip


def _score(margin: float, total: float, overtime: int) -> tuple[int, int]:
    """Whole scores with the winner that the sign of `margin` says; a tie is settled in overtime."""
    a, b = max(round((total + margin) / 2), 0), max(round((total - margin) / 2), 0)
    if a != b:
        return a, b
    both = 6 + overtime % 3
    return (a + both + overtime, b + both) if margin > 0 else (a + both, b + both + overtime)


def _published(start: dt.datetime) -> dt.datetime:
    """Publication goes shift by shift: night and day blocks on the day before, the evening on the day."""
    midnight = start.replace(hour=0, minute=0)
    if start < midnight + dt.timedelta(hours=5, minutes=50):
        return midnight - dt.timedelta(hours=19)
    if start < midnight + dt.timedelta(hours=17, minutes=50):
        return midnight - dt.timedelta(hours=8)
    return midnight


def _external_id(start: dt.datetime, sequence: int) -> str:
    return f"NB{sequence:03d}{start:%d%m%y}"
