"""What the forecast of one match adds up, in numpy: states, small effects, width and noise.

The same sums as the compiled `kernels.forecast`; `takingapart` says how one comes about.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tipoff.forecast.arrays import (
    NEVER,
    WAITS,
    Arrays,
)
from tipoff.forecast.coldstart import Links, carried, link
from tipoff.forecast.columns import (
    REGRESSORS,
)

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


def _block(s: Arrays, f: int, at: NDArray[np.int64]) -> F64:
    """The covariance of the dense states `at`, what waits included."""
    block = s.C[f][np.minimum.outer(at, at), np.maximum.outer(at, at)]
    waits = int(s.counters[WAITS + f])
    u = s.waiting_u[f, :waits, at]
    return np.asarray(block - (u / s.waiting_var[f, :waits]) @ u.T)
