"""A league with rules of its own, whose truth has the plain structure and, where wanted, one addition.

Shares no code with the filter. Players have a shift in which they play; a shift is one session of two blocks in
a group of three or four; some leave and others come in their place.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.match import Match, MatchStatus
from tipoff.forecast.table import MatchTable, build_table

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
STREAMS, SHIFTS, TEAMS, SLOTS, MINUTES = 6, 3, 16, 14, 32
ACTIVE = 30
"""players of one shift at any time, of whom about twenty play on a day"""
PROPOSALS = 200
"""groups among which the league chooses each time"""
UNSEEN_DAYS = 10
"""who first plays after so many days is new to the league"""
SIDE = np.array([[-1.0], [1.0]])
"""how B's states enter the margin and the total"""

Two = tuple[float, float]
"""margin, total"""


@dataclasses.dataclass(frozen=True, slots=True)
class Truth:
    """Variances (points squared, drifts a day) of margin and total; the defaults are the plain structure."""

    v0: Two = (6.0, 10.0)
    q: Two = (0.027, 0.136)
    v_link: Two = (6.0, 10.0)
    v_session: Two = (1.0, 1.9)
    v_team: Two = (7.3, 3.2)
    q_team: Two = (0.0019, 0.062)
    v_player_team: Two = (1.51, 2.68)
    v_pair: Two = (1.08, 3.8)
    v_player_team_session: Two = (1.23, 1.8)
    v_stream: Two = (0.0, 0.32)
    r: Two = (71.2, 115.8)
    base: Two = (0.0, 108.0)
    v_late: Two | None = None
    """newcomers: in place of `v_link` after the first days"""
    v_meeting: Two | None = None
    """first-meeting: strengths are all N(0, v0), and whom the league brings together first differ by about so much"""
    v_margin_scale: float = 0.0
    """margin-scale: variance of each player's part of the log-variance"""
    c_level: Two = (0.0, 0.0)
    """noise: of the log-variance, a point of expected total"""
    c_position: Two = (0.0, 0.0)
    """noise: of the log-variance, a match already played in the session"""
    q_session: float = 0.0
    """session-growth: of the total's session form, a day"""
    regressors: tuple[float, ...] = (0.0,) * 5
    """regressors: points of the total"""
    v_total_scale: float = 0.0
    """total-scale: as `v_margin_scale`, of the noise alone"""
    t_late: float = 0.0
    """newcomer-doubt: deviation of the logarithm of `v_late` of the margin, from newcomer to newcomer"""


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """One shift of one stream: who sits there, who plays whom (two (SLOTS,) of seats), and when in minutes."""

    seats: I64
    a: I64
    b: I64
    start: I64
    stream: int

    @classmethod
    def seated(cls, seats: I64, begin: int, stream: int) -> Group:
        """Everyone plays everyone in turn."""
        pairs = list(itertools.combinations(range(len(seats)), 2))
        if len(seats) == 4:
            pairs = [pairs[i] for i in (0, 5, 1, 4, 2, 3)]
        turns = np.array([pairs[i % len(pairs)] for i in range(SLOTS)])
        return cls(seats, turns[:, 0], turns[:, 1], begin + MINUTES * np.arange(SLOTS), stream)

    @property
    def plays(self) -> NDArray[np.bool_]:
        """(SLOTS, seats)"""
        seat = np.arange(len(self.seats))
        return np.asarray((self.a[:, None] == seat) | (self.b[:, None] == seat))

    def both(self, values: F64) -> F64:
        """The mean over the two who play, of values (SLOTS, seats)."""
        slot = np.arange(SLOTS)
        return np.asarray(values[slot, self.a] + values[slot, self.b]) / 2

    @property
    def position(self) -> F64:
        """(SLOTS, seats): matches already played in the session."""
        return np.asarray(np.cumsum(self.plays, axis=0) - self.plays.astype(float))

    @property
    def rest(self) -> F64:
        """(SLOTS, seats): minutes since the last match, 240 before the first."""
        slot = np.arange(SLOTS)[:, None]
        last = np.maximum.accumulate(np.where(self.plays, slot, -1), axis=0)
        last = np.vstack([np.full(len(self.seats), -1), last[:-1]])
        return np.where(last < 0, 240.0, MINUTES * (slot - last))

    def regressors(self) -> F64:
        """(SLOTS, 5): opening the session, position, rest, cosine and sine of the hour."""
        angle = 2 * np.pi * self.start / 1440
        return np.stack([
            self.both((self.position == 0).astype(float)),
            (self.both(np.minimum(self.position, 12)) - 5) / 5,
            self.both(np.log(np.clip(self.rest, 32, 240) / 64)),
            np.cos(angle),
            np.sin(angle),
        ], axis=1)  # fmt: skip


class Simulator:
    """Plays the league day by day; strengths and effects have a leading axis margin, total."""

    def __init__(self, truth: Truth, days: int, newcomers: int, seed: int) -> None:
        self.truth, self.days, self.newcomers = truth, days, newcomers
        self.rng = np.random.default_rng(seed)
        players = SHIFTS * ACTIVE + newcomers * days
        self.strength = np.full((2, players), np.nan) if truth.v_meeting is None else self._draw(truth.v0, players)
        self.teams = self._draw(truth.v_team, TEAMS)
        self.player_team = self._draw(truth.v_player_team, players, TEAMS)
        pair = self._draw(truth.v_pair, players, players)
        self.pair = np.triu(pair) + np.stack([-1, 1])[:, None, None] * np.triu(pair, 1).transpose(0, 2, 1)
        self.streams = self._draw(truth.v_stream, STREAMS)
        self.margin_scale, self.total_scale = (
            np.sqrt(v) * self.rng.standard_normal(players) for v in (truth.v_margin_scale, truth.v_total_scale)
        )
        self.active = [np.arange(ACTIVE) + ACTIVE * shift for shift in range(SHIFTS)]
        self.next = SHIFTS * ACTIVE
        self.met = np.zeros((players, players), dtype=bool)

    def _draw(self, variance: Two, *shape: int) -> F64:
        drawn = self.rng.standard_normal((2, *shape))
        return np.sqrt(variance).reshape(2, *[1] * len(shape)) * drawn

    def matches(self) -> list[Match]:
        """Everything that was played, in order of start."""
        played = []
        for day in range(self.days):
            self.strength += self._draw(self.truth.q, self.strength.shape[1])
            self.teams += self._draw(self.truth.q_team, TEAMS)
            for shift in range(SHIFTS):
                begin = 1440 * day + 480 * shift
                for stream, seats in enumerate(self._groups(shift)):
                    played += self._play(Group.seated(seats, begin + 5 * stream, stream), day)
            for _ in range(self.newcomers):
                self._renew()
        return sorted(played, key=lambda match: match.start)

    def _renew(self) -> None:
        """A newcomer takes the place of someone."""
        self.active[self.next % SHIFTS][self.rng.integers(ACTIVE)] = self.next
        self.next += 1

    def _groups(self, shift: int) -> list[I64]:
        """Who plays with whom today: anyone with anyone, unless the league looks at strengths."""
        waiting = self.active[shift]
        made = []
        for size in self.rng.integers(3, 5, STREAMS):
            proposals = self.rng.permuted(np.tile(waiting, (PROPOSALS, 1)), axis=1)[:, :size]
            liking = self._liking(proposals)
            made.append(proposals[self.rng.choice(PROPOSALS, p=liking / liking.sum())])
            waiting = np.setdiff1d(waiting, made[-1])
        return made

    def _liking(self, groups: I64) -> F64:
        """(groups,): how readily the league brings these (groups, seats) together, of whom some have not met."""
        if self.truth.v_meeting is None:
            return np.ones(len(groups))
        apart = np.zeros(len(groups))
        for a, b in itertools.combinations(groups.T, 2):
            squared = (self.strength[:, a] - self.strength[:, b]) ** 2
            apart += ~self.met[a, b] * (squared / np.array(self.truth.v_meeting)[:, None]).sum(axis=0)
        return np.asarray(np.exp(-0.5 * (apart - apart.min())))

    def _admit(self, group: Group, day: int) -> None:
        """Who plays for the first time is about as strong as the first opponent."""
        late = self.truth.v_late if self.truth.v_late and day >= UNSEEN_DAYS else self.truth.v_link
        for a, b in zip(group.seats[group.a], group.seats[group.b], strict=True):
            if np.isnan(self.strength[0, [a, b]]).all():
                self.strength[:, a] = self._draw(self.truth.v0)
            for new, known in ((a, b), (b, a)):
                if np.isnan(self.strength[0, new]):
                    self.strength[:, new] = self.strength[:, known] + self._draw(self._own_variance(late))

    def _own_variance(self, late: Two) -> Two:
        """How far one newcomer may be from the first opponent."""
        if self.truth.t_late == 0:
            return late
        return late[0] * float(np.exp(self.truth.t_late * self.rng.standard_normal())), late[1]

    def _play(self, group: Group, day: int) -> list[Match]:
        self._admit(group, day)
        seats, slot = group.seats, np.arange(SLOTS)
        block = slot // (SLOTS // 2)
        teams = np.stack([self.rng.choice(TEAMS, len(seats), replace=False) for _ in range(2)])
        a, b = seats[group.a], seats[group.b]
        self.met[a, b] = self.met[b, a] = True
        team_a, team_b = teams[block, group.a], teams[block, group.b]
        own = self._own(group, teams)[:, block] + self._form(group)
        mean = own[:, slot, group.a] + SIDE * own[:, slot, group.b] + self.pair[:, a, b]
        mean += np.array(self.truth.base)[:, None] + self.streams[:, [group.stream]]
        mean[1] += group.regressors() @ np.array(self.truth.regressors)
        margin, total = self._outcome(group, mean)
        scores = np.rint([(total + margin) / 2, (total - margin) / 2]).astype(int)
        scores[0] += (scores[0] == scores[1]) & (margin > 0)
        scores[1] += scores[0] == scores[1]
        return [
            Match(
                f"{group.stream}-{start:07d}", BEGIN + dt.timedelta(minutes=int(start)), f"P{a[i]}", f"P{b[i]}",
                f"T{team_a[i]}", f"T{team_b[i]}", f"S{group.stream}", MatchStatus.FINAL,
                max(int(scores[0, i]), 0), max(int(scores[1, i]), 0),
            )
            for i, start in enumerate(group.start)
        ]  # fmt: skip

    def _own(self, group: Group, teams: I64) -> F64:
        """(2, blocks, seats): what does not change within a block."""
        of_team = self.teams[:, teams] + self.player_team[:, group.seats, teams]
        return (
            self.strength[:, None, group.seats] + of_team + self._draw(self.truth.v_player_team_session, *teams.shape)
        )

    def _form(self, group: Group) -> F64:
        """(2, SLOTS, seats): session form; of the total it may wander within the session."""
        form = np.repeat(self._draw(self.truth.v_session, 1, len(group.seats)), SLOTS, axis=1)
        steps = np.sqrt(self.truth.q_session * MINUTES / 1440) * self.rng.standard_normal((SLOTS, len(group.seats)))
        form[1, 1:] += np.cumsum(steps, axis=0)[:-1]
        return form

    def _outcome(self, group: Group, mean: F64) -> F64:
        """(2, SLOTS): margin and total; the margin's scale widens what is expected and the noise alike."""
        level = np.clip(mean[1] - self.truth.base[1], -30, 30)
        position = group.both(np.minimum(group.position, 13)) - 5
        log_variance = np.outer(self.truth.c_level, level) + np.outer(self.truth.c_position, position)
        for f, scale in enumerate((self.margin_scale, self.total_scale)):
            log_variance[f] += scale[group.seats[group.a]] + scale[group.seats[group.b]]
        noise = np.sqrt(self.truth.r)[:, None] * self.rng.standard_normal((2, SLOTS))
        sigma = np.exp(log_variance / 2)
        return np.stack([sigma[0] * (mean[0] + noise[0]), mean[1] + sigma[1] * noise[1]])


def simulate(truth: Truth, days: int, seed: int, newcomers: int = 1) -> MatchTable:
    """`days` days of 252 matches each, with so many newcomers a day."""
    return build_table(Simulator(truth, days, newcomers, seed).matches())
