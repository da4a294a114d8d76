"""One match taken apart in numpy: what its forecast adds up, state by state.

The same rules as the compiled `kernels.forecast`: what time or a prior adds, how a newcomer leans on the opponent,
and how wide the match is.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from tipoff.forecast.arrays import (
    FIRST,
    IN_SESSION,
    LAST,
    LAST_BASE,
    LINKED,
    MEAN,
    NEVER,
    PLAYED,
    POS,
    PT_LAST,
    PT_MEAN,
    PT_VAR,
    PTS_MEAN,
    PTS_SESSION,
    PTS_VAR,
    SESSION,
    SLOT,
    SLOT_POS,
    VAR,
    WAITS,
    Arrays,
)
from tipoff.forecast.coldstart import Links, carried, link
from tipoff.forecast.columns import (
    C_LEVEL,
    C_POSITION,
    DAY,
    FEW,
    LEVEL_REACH,
    LONGEST_REST,
    M_BASE,
    MOST_PLAYED,
    NEWCOMER_DAYS,
    NOISE,
    Q_BASE,
    Q_EXTRAS,
    Q_SESSION,
    Q_TEAM,
    REGRESSORS,
    SHORTEST_REST,
    T_LATE,
    USUAL_POSITION,
    USUAL_REST,
    V0,
    V_LATE,
    V_LINK,
    V_MEETING,
    V_PAIR,
    V_PT,
    V_PTS,
    V_REGRESSOR,
    V_SCALE,
    V_SESSION,
    V_STREAM,
    V_TEAM,
    Q,
)
from tipoff.forecast.table import UNKNOWN, LookedUp

F64 = NDArray[np.float64]
PLAYERS, TEAMS, SESSIONS = (slice(k + REGRESSORS, k + 2 + REGRESSORS) for k in (1, 3, 5))
LOCAL = 7 + REGRESSORS
PART_OF = np.array([0, *[4] * REGRESSORS, 1, 1, 2, 2, 3, 3])
"""level, players, teams, form or circumstances: the part to which each local state belongs"""


@dataclasses.dataclass(frozen=True, slots=True)
class OneMatch:
    """Local states in the order base, regressors, player A, B, team A, B, session A, B; axis 2 is margin, total.

    `where` (12,) is a dense position, or NEVER for a state that has its prior variance and no covariance; `own`
    (2, 12) the variance added by time or prior; `weights` (2, 12) how each is observed; `small` (2, 6, 2) signed mean
    and variance of player-team A, B, player-team-session A, B, pair, stream; `meeting` (2,) the variance with which a
    pair that meets first is taken for equally strong, 0 for one that has met; `scale` (2,) by which the states count,
    `noise` (2,) that of one match in points squared; `known` how many results are known of player A and of player B;
    `prior` (2,) the link's variance of A and of B for the margin, 0 for who is no later newcomer, `first` (2,) the
    dense position of their first opponents, NEVER before the first match, `tau` how surely the variance is known.
    """

    where: NDArray[np.int64]
    own: F64
    weights: F64
    small: F64
    meeting: F64
    scale: F64
    noise: F64
    known: tuple[int, int]
    prior: F64
    first: NDArray[np.int64]
    tau: float
    total: tuple[float, float] | None = None
    """the total's `signal`, which the width of both needs, once it is worked out"""

    def forecast(self, s: Arrays, f: int) -> tuple[float, float]:
        """Mean and variance of filter `f`'s observation, in points and points squared."""
        mean, var = self.signal(s, f)
        return mean, var + float(self.noise[f])

    def signal(self, s: Arrays, f: int) -> tuple[float, float]:
        """The same without the noise of a match: what is known of strengths and form, and how surely."""
        if f == 1 and self.total is not None:
            return self.total
        h, new = self.weights[f], self.where == NEVER
        x, block = self._believed(s, f, [])
        mean, var = h[~new] @ x, h[~new] @ block @ h[~new] + (h[new] ** 2 * self.own[f, new]).sum()
        mean, var = mean + self.small[f, :, 0].sum(), var + self.small[f, :, 1].sum()
        shift, more = self.doubted(s) if f == 0 else (0.0, 0.0)
        return float(self.scale[f] * (mean + shift)), float(self.scale[f] ** 2 * (var + more))

    def _believed(self, s: Arrays, f: int, also: list[int]) -> tuple[F64, F64]:
        """Mean and covariance of dense states `also`, without what time adds, and then of the local ones there are.

        A first meeting has been observed.
        """
        there = self.where != NEVER
        at = np.array([*also, *self.where[there]])
        x, block = s.x[f, at], _block(s, f, at)
        block[len(also) :, len(also) :] += np.diag(self.own[f, there])
        if self.meeting[f] > 0:
            apart = np.zeros(LOCAL)
            apart[PLAYERS] = 1.0, -1.0
            weight = np.concatenate([np.zeros(len(also)), apart[there]])
            along = block @ weight
            across = weight @ along + self.meeting[f]
            x, block = x - along * (weight @ x) / across, block - np.outer(along, along) / across
        return x, block

    def doubted(self, s: Arrays) -> tuple[float, float]:
        """What is not known of later newcomers' variance adds to the margin's mean and variance, before the scale."""
        if not self.prior.any():
            return 0.0, 0.0
        links = np.zeros((3, 1, 2))
        for side in np.flatnonzero(self.prior > 0):
            me = self.where[PLAYERS][side]
            if me == NEVER:
                links[:, 0, side] = 0.0, self.prior[side], self.weights[0, PLAYERS][side] * self.prior[side]
            else:
                x, block = self._believed(s, 0, [int(me), int(self.first[side])])
                links[:, 0, side] = link(x, block, self.weights[0, self.where != NEVER])
        made = Links(links[0], links[1], links[2], self.prior[None])
        shift, more = carried(np.zeros(1), np.zeros(1), made, self.tau)
        return float(shift[0]), float(more[0])

    def parts(self, f: int, size: int) -> tuple[F64, F64]:
        """How level, players, teams, form and circumstances weigh the dense states (5, size); own variance (5,)."""
        weight, own = np.zeros((5, size)), np.zeros(5)
        np.add.at(own, PART_OF, self.weights[f] ** 2 * self.own[f])
        there = self.where != NEVER
        np.add.at(weight, (PART_OF[there], self.where[there]), self.weights[f, there])
        return weight, own

    def drawn_together(self, f: int, x: F64, covariance: F64, weight: F64) -> tuple[F64, F64]:
        """What a first meeting takes off the mean and variance of each part (5,), from full dense arrays."""
        if self.meeting[f] == 0:
            return np.zeros(len(weight)), np.zeros(len(weight))
        (a, b), own = self.where[PLAYERS], self.own[f, PLAYERS]
        along = weight @ (covariance[:, a] - covariance[:, b])
        along[1] += self.weights[f, PLAYERS] * own @ [1.0, -1.0]
        across = covariance[a, a] + covariance[b, b] - 2 * covariance[a, b] + own.sum() + self.meeting[f]
        return along * (x[a] - x[b]) / across, along**2 / across


def take_apart(s: Arrays, P: F64, row: LookedUp, now: int, gap: int) -> OneMatch:
    """What the forecast of `row` at minute `now` adds up."""
    going_on = [_in_session(s, p, now, gap) for p in row.players]
    regressors, position = _circumstances(s, row, now, going_on)
    where, own, h = _states(s, P, row, now, going_on, regressors)
    new = where[PLAYERS] == NEVER
    met = row.pair >= 0 and s.pair_last[row.pair] != NEVER
    meeting = np.zeros(2) if new.any() or met else P[:, V_MEETING]
    counts = [int(s.players[p, PLAYED]) if p >= 0 else 0 for p in row.players]
    one = OneMatch(
        where, own, h, _small(s, P, row, now, going_on), meeting, np.ones(2), np.zeros(2), (counts[0], counts[1]),
        *_doubts(s, P, row, now, new, counts), float(P[0, T_LATE]),
    )  # fmt: skip
    total = one.signal(s, 1)
    wide = np.exp([_log_scale(s, P, f, row, total[0], position) for f in range(2)])
    scale = np.array([math.sqrt(wide[0]), 1.0])
    return dataclasses.replace(one, scale=scale, noise=P[:, NOISE] * wide, total=total)


def _states(
    s: Arrays, P: F64, row: LookedUp, now: int, going_on: list[bool], regressors: F64
) -> tuple[NDArray[np.int64], F64, F64]:
    where, own, h = np.full(LOCAL, NEVER), np.zeros((2, LOCAL)), np.zeros((2, LOCAL))
    side = np.array([-1.0, 1.0])
    where[0], h[:, 0] = 0, 1.0
    own[:, 0] = P[:, Q_BASE] * _days(now, int(s.counters[LAST_BASE]))
    if P[:, V_REGRESSOR].any():
        where[1 : 1 + REGRESSORS] = range(1, 1 + REGRESSORS)
        h[:, 1 : 1 + REGRESSORS] = np.where(P[:, V_REGRESSOR] > 0, 1.0, 0.0)[:, None] * regressors
    for k, (p, t) in enumerate(zip(row.players, row.teams, strict=True)):
        player, team, session = PLAYERS.start + k, TEAMS.start + k, SESSIONS.start + k
        h[:, player] = h[:, session] = np.ones(2) if k == 0 else side
        away = _days(now, int(s.players[p, LAST])) if p >= 0 else 0.0
        if p >= 0:
            where[player], own[:, player] = s.players[p, POS], P[:, Q] * away
        if t != UNKNOWN:
            h[:, team] = h[:, player]
            where[team] = s.teams[t, POS] if t >= 0 else NEVER
            seen = where[team] != NEVER
            own[:, team] = P[:, Q_TEAM] * _days(now, int(s.teams[t, LAST])) if seen else P[:, V_TEAM]
        where[session] = s.slots[s.players[p, SLOT], SLOT_POS] if going_on[k] else NEVER
        own[:, session] = P[:, Q_SESSION] * away if going_on[k] else P[:, V_SESSION]
    _newcomers(s, P, now, where, own, h)
    return where, own, h


def _newcomers(s: Arrays, P: F64, now: int, where: NDArray[np.int64], own: F64, h: F64) -> None:
    """Who is not known leans on the opponent, or on the prior where nobody is."""
    link = P[:, V_LATE if _late(s, now) else V_LINK]
    a, b = PLAYERS.start, PLAYERS.start + 1
    if where[a] == NEVER and where[b] == NEVER:
        h[:, a] += h[:, b]
        own[:, a], own[:, b] = P[:, V0], link
    elif where[a] == NEVER:
        h[:, b] += h[:, a]
        own[:, a] = link
    elif where[b] == NEVER:
        h[:, a] += h[:, b]
        own[:, b] = link


def _late(s: Arrays, now: int) -> bool:
    """Whether a player first seen now is new, not only unseen."""
    first = int(s.counters[FIRST])
    return first != NEVER and now - first > NEWCOMER_DAYS * DAY


def _doubts(
    s: Arrays, P: F64, row: LookedUp, now: int, new: NDArray[np.bool_], counts: list[int]
) -> tuple[F64, NDArray[np.int64]]:
    """The prior variance of A and of B, 0 for who is no later newcomer, and where their first opponents are."""
    prior, first = np.zeros(2), np.full(2, NEVER)
    for side, p in enumerate(row.players):
        if new[side]:
            leans = _late(s, now) and (side == 1 or not new[1])
        else:
            leans = s.players[p, LINKED] != NEVER and counts[side] < FEW
            first[side] = s.players[s.players[p, LINKED], POS] if leans else NEVER
        prior[side] = P[0, V_LATE] if leans else 0.0
    return prior, first


def _circumstances(s: Arrays, row: LookedUp, now: int, going_on: list[bool]) -> tuple[F64, float]:
    """The five regressors, and the mean of matches already played in the session."""
    played = [int(s.players[p, IN_SESSION]) if on else 0 for p, on in zip(row.players, going_on, strict=True)]
    last = [int(s.players[p, LAST]) if p >= 0 else NEVER for p in row.players]
    rests = [LONGEST_REST if at == NEVER else min(max(now - at, SHORTEST_REST), LONGEST_REST) for at in last]
    angle = 2 * math.pi * (now % 1440) / DAY
    regressors = np.array([
        1 - sum(going_on) / 2,
        (sum(min(n, MOST_PLAYED - 1) for n in played) / 2 - USUAL_POSITION) / USUAL_POSITION,
        sum(math.log(rest / USUAL_REST) for rest in rests) / 2,
        math.cos(angle),
        math.sin(angle),
    ])  # fmt: skip
    return regressors, min(sum(played) / 2, MOST_PLAYED)


def _log_scale(s: Arrays, P: F64, f: int, row: LookedUp, level: float, position: float) -> float:
    value = P[f, C_LEVEL] * min(max(level - P[1, M_BASE], -LEVEL_REACH), LEVEL_REACH)
    value += P[f, C_POSITION] * (position - USUAL_POSITION)
    if P[f, V_SCALE] > 0:
        value += sum(s.log_scale[f, p] for p in row.players if p >= 0)
    return float(value)


def _block(s: Arrays, f: int, at: NDArray[np.int64]) -> F64:
    """The covariance of the dense states `at`, what waits included."""
    block = s.C[f][np.minimum.outer(at, at), np.maximum.outer(at, at)]
    waits = int(s.counters[WAITS + f])
    u = s.waiting_u[f, :waits, at]
    return np.asarray(block - (u / s.waiting_var[f, :waits]) @ u.T)


def _days(now: int, last: int) -> float:
    return max(now - last, 0) / DAY if last != NEVER else 0.0


def _in_session(s: Arrays, player: int, now: int, gap: int) -> bool:
    """Whether a match at minute `now` continues the session; one of the past does if nobody took the slot since."""
    last, slot = (int(s.players[player, column]) if player >= 0 else NEVER for column in (LAST, SLOT))
    return NEVER not in (last, slot) and now - last <= gap


def _small(s: Arrays, P: F64, row: LookedUp, now: int, going_on: list[bool]) -> F64:
    """The small effects (2, 6, 2): signed mean and variance."""
    out = np.zeros((2, 6, 2))
    drift = P[:, Q_EXTRAS]
    for k, (p, t) in enumerate(zip(row.players, row.teams, strict=True)):
        if t == UNKNOWN:
            continue
        last, same = NEVER, False
        if p >= 0 and t >= 0:
            last = int(s.grid_seen[p, t, PT_LAST])
            same = going_on[k] and s.grid_seen[p, t, PTS_SESSION] == s.players[p, SESSION]
        if last != NEVER:
            out[:, k, 0], out[:, k, 1] = s.grid[:, p, t, PT_MEAN], s.grid[:, p, t, PT_VAR] + drift * _days(now, last)
        else:
            out[:, k, 1] = P[:, V_PT]
        if same:
            out[:, 2 + k, 0], out[:, 2 + k, 1] = s.grid[:, p, t, PTS_MEAN], s.grid[:, p, t, PTS_VAR]
        else:
            out[:, 2 + k, 1] = P[:, V_PTS]
    last = int(s.pair_last[row.pair]) if row.pair >= 0 else NEVER
    if last != NEVER:
        out[:, 4, 0], out[:, 4, 1] = s.pairs[:, row.pair, MEAN], s.pairs[:, row.pair, VAR] + drift * _days(now, last)
    else:
        out[:, 4, 1] = P[:, V_PAIR]
    if row.stream != UNKNOWN:
        last = int(s.stream_last[row.stream]) if row.stream >= 0 else NEVER
        if last != NEVER:
            out[:, 5, 0] = s.streams[:, row.stream, MEAN]
            out[:, 5, 1] = s.streams[:, row.stream, VAR] + drift * _days(now, last)
        else:
            out[:, 5, 1] = P[:, V_STREAM]
    out[0, [1, 3], 0] *= -1.0
    out[0, 4, 0] *= 1.0 if row.players[0] < row.players[1] else -1.0
    return out
