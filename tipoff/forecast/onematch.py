"""One match taken apart in numpy: what its forecast adds up, state by state.

The same rules as the compiled `kernels.filter`: what time or a prior adds, how a newcomer leans on the opponent.
Column numbers of `P` (hyper-parameters) follow `tipoff.forecast.params.FilterParams`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tipoff.forecast.arrays import LAST_BASE, NEVER, Arrays
from tipoff.forecast.table import UNKNOWN, LookedUp

F64 = NDArray[np.float64]
V0, Q, V_SESSION, V_TEAM, Q_TEAM, V_BASE, Q_BASE, NOISE, CLIP, V_LINK = range(10)
V_PT, V_PAIR, V_PTS, Q_EXTRAS, V_STREAM = range(10, 15)
DAY = 1440.0
PART_OF = np.array([0, 1, 1, 2, 2, 3, 3])
"""level, players, teams or form: the part to which each local state belongs"""


@dataclasses.dataclass(frozen=True, slots=True)
class OneMatch:
    """Local states in the order base, player A, B, team A, B, session A, B; leading axis 2 is margin, total.

    `where` (7,) is a dense position, or NEVER for a state that has its prior variance and no covariance; `own`
    (2, 7) the variance added by time or prior; `signs` (2, 7) how each is observed; `small` (2, 6, 2) signed mean and
    variance of player-team A, B, player-team-session A, B, pair, stream; `noise` (2,) that of one match; `known` how
    many results are known of player A and of player B.
    """

    where: NDArray[np.int64]
    own: F64
    signs: F64
    small: F64
    noise: F64
    known: tuple[int, int]

    def forecast(self, s: Arrays, f: int) -> tuple[float, float]:
        """Mean and variance of filter `f`'s observation, in points and points squared."""
        mean, states, noise = self.spread(s, f)
        return mean, states + noise

    def spread(self, s: Arrays, f: int) -> tuple[float, float, float]:
        """Mean of filter `f`'s observation, the variance of the states in it, and the noise of one match."""
        there = self.where != NEVER
        at, h = self.where[there], self.signs[f, there]
        block = s.C[f][np.maximum.outer(at, at), np.minimum.outer(at, at)]
        mean = h @ s.x[f, at] + self.small[f, :, 0].sum()
        states = h @ block @ h + (self.signs[f] ** 2 * self.own[f]).sum() + self.small[f, :, 1].sum()
        return float(mean), float(states), float(self.noise[f])

    def weights(self, f: int, size: int) -> tuple[F64, F64]:
        """How level, players, teams and form weigh the dense states (4, size), and their own variance (4,)."""
        weight, own = np.zeros((4, size)), np.zeros(4)
        np.add.at(own, PART_OF, self.signs[f] ** 2 * self.own[f])
        there = self.where != NEVER
        np.add.at(weight, (PART_OF[there], self.where[there]), self.signs[f, there])
        return weight, own


def take_apart(s: Arrays, P: F64, row: LookedUp, now: int, gap: int) -> OneMatch:
    """What the forecast of `row` at minute `now` adds up."""
    where, own, signs = np.full(7, NEVER), np.zeros((2, 7)), np.zeros((2, 7))
    side = np.array([-1.0, 1.0])
    where[0], signs[:, 0] = 0, 1.0
    own[:, 0] = P[:, Q_BASE] * _days(now, int(s.counters[LAST_BASE]))
    going_on = [_in_session(s, p, now, gap) for p in row.players]
    for k, (p, t) in enumerate(zip(row.players, row.teams, strict=True)):
        signs[:, 1 + k] = signs[:, 5 + k] = np.ones(2) if k == 0 else side
        if p >= 0:
            where[1 + k] = s.pos_player[p]
            own[:, 1 + k] = P[:, Q] * _days(now, int(s.last_player[p]))
        if t != UNKNOWN:
            signs[:, 3 + k] = signs[:, 1 + k]
            where[3 + k] = s.pos_team[t] if t >= 0 else NEVER
            seen = where[3 + k] != NEVER
            own[:, 3 + k] = P[:, Q_TEAM] * _days(now, int(s.last_team[t])) if seen else P[:, V_TEAM]
        where[5 + k] = s.slot_pos[s.slot_of[p]] if going_on[k] else NEVER
        own[:, 5 + k] = 0.0 if going_on[k] else P[:, V_SESSION]
    if where[1] == NEVER and where[2] == NEVER:
        signs[:, 1], signs[:, 2] = 1.0 + side, side
        own[:, 1], own[:, 2] = P[:, V0], P[:, V_LINK]
    elif where[1] == NEVER:
        signs[:, 2] += signs[:, 1]
        own[:, 1] = P[:, V_LINK]
    elif where[2] == NEVER:
        signs[:, 1] += signs[:, 2]
        own[:, 2] = P[:, V_LINK]
    counts = [int(s.played[p]) if p >= 0 else 0 for p in row.players]
    return OneMatch(where, own, signs, _small(s, P, row, now, going_on), P[:, NOISE], (counts[0], counts[1]))


def _days(now: int, last: int) -> float:
    return max(now - last, 0) / DAY if last != NEVER else 0.0


def _in_session(s: Arrays, player: int, now: int, gap: int) -> bool:
    last = int(s.last_player[player]) if player >= 0 else NEVER
    return last != NEVER and now - last <= gap


def _small(s: Arrays, P: F64, row: LookedUp, now: int, going_on: list[bool]) -> F64:
    """The small effects (2, 6, 2): signed mean and variance."""
    out = np.zeros((2, 6, 2))
    drift = P[:, Q_EXTRAS]
    for k, (p, t) in enumerate(zip(row.players, row.teams, strict=True)):
        if t == UNKNOWN:
            continue
        last, same = NEVER, False
        if p >= 0 and t >= 0:
            last = int(s.pt_last[p, t])
            same = going_on[k] and s.pts_session[p, t] == s.session[p]
        if last != NEVER:
            out[:, k, 0], out[:, k, 1] = s.pt_mean[:, p, t], s.pt_var[:, p, t] + drift * _days(now, last)
        else:
            out[:, k, 1] = P[:, V_PT]
        if same:
            out[:, 2 + k, 0], out[:, 2 + k, 1] = s.pts_mean[:, p, t], s.pts_var[:, p, t]
        else:
            out[:, 2 + k, 1] = P[:, V_PTS]
    last = int(s.pair_last[row.pair]) if row.pair >= 0 else NEVER
    if last != NEVER:
        out[:, 4, 0], out[:, 4, 1] = s.pair_mean[:, row.pair], s.pair_var[:, row.pair] + drift * _days(now, last)
    else:
        out[:, 4, 1] = P[:, V_PAIR]
    if row.stream != UNKNOWN:
        last = int(s.stream_last[row.stream]) if row.stream >= 0 else NEVER
        if last != NEVER:
            out[:, 5, 0] = s.stream_mean[:, row.stream]
            out[:, 5, 1] = s.stream_var[:, row.stream] + drift * _days(now, last)
        else:
            out[:, 5, 1] = P[:, V_STREAM]
    out[0, [1, 3], 0] *= -1.0
    out[0, 4, 0] *= 1.0 if row.players[0] < row.players[1] else -1.0
    return out
