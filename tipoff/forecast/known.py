"""What a filter knows, for reading alone: forecasts, strengths, reasons; numpy only, so that light processes can.

The same sums as the compiled walk (`kernels.forecast`), one match at a time: they agree to 1e-9.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.match import Fixture
from tipoff.forecast import arrays
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.onematch import OneMatch
from tipoff.forecast.params import Params
from tipoff.forecast.statefile import read_state, write_state
from tipoff.forecast.table import Roster, minutes
from tipoff.forecast.takingapart import take_apart


@dataclasses.dataclass(slots=True)
class KnownState:
    """Both filters after `matches` results; `last` is the (minute, external id) learned last."""

    params: Params
    roster: Roster
    arrays: arrays.Arrays
    last: tuple[int, str] | None = None

    @property
    def matches(self) -> int:
        """How many results were learned."""
        return int(self.arrays.counters[arrays.N_MATCHES])

    def known_of(self, player: str) -> int:
        """How many results of `player` were learned."""
        index = self.roster.players.get(player)
        known = index is not None and index < len(self.arrays.players)
        return int(self.arrays.players[index, arrays.PLAYED]) if known else 0

    def forecast(self, fixtures: Sequence[Fixture]) -> list[ScoreDistribution]:
        """A distribution for each fixture, in the order given."""
        made = []
        for one in self.parts(fixtures):
            (margin, margin_var), (total, total_var) = (one.forecast(self.arrays, f) for f in (0, 1))
            made.append(ScoreDistribution(margin, float(np.sqrt(margin_var)), total, float(np.sqrt(total_var))))
        return made

    def parts(self, fixtures: Sequence[Fixture]) -> Iterator[OneMatch]:
        """What the forecast of each fixture adds up."""
        P = self.params.as_array()
        for fixture in fixtures:
            yield take_apart(
                self.arrays, P, self.roster.look_up(fixture), minutes(fixture.start), self.params.session_gap
            )

    def mean_player(self) -> NDArray[np.float64]:
        """Shape (n,): the weights that make the mean of all players from the dense states; zero without any."""
        seen = self.arrays.players[:, arrays.POS]
        seen = seen[seen != arrays.NEVER]
        weights = np.zeros(self.arrays.x.shape[1])
        weights[seen] = 1 / max(len(seen), 1)
        return weights

    def covariances(self) -> NDArray[np.float64]:
        """Shape (2, n, n): both filters' covariances in full, in points squared."""
        return np.stack([covariance(self.arrays, f) for f in range(2)])

    def contrasts(self, kind: str = "players") -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        """Names of all players (or "teams"), their margin strengths against their mean (k,), covariance (k, k)."""
        roster, seen = (
            (self.roster.players, self.arrays.players)
            if kind == "players"
            else (self.roster.teams, self.arrays.teams)
        )
        position = seen[:, arrays.POS]
        at = [(name, int(position[i])) for name, i in roster.items() if position[i] != arrays.NEVER]
        if not at:
            return [], np.empty(0), np.empty((0, 0))
        where = np.array([position for _, position in at])
        centre = np.eye(len(at)) - 1 / len(at)
        block = covariance(self.arrays, 0)[np.ix_(where, where)]
        return [name for name, _ in at], centre @ self.arrays.x[0, where], centre @ block @ centre

    def strengths(self, kind: str = "players") -> list[tuple[str, float, float]]:
        """Each player's (or team's) margin strength against the mean of all and its standard deviation, in points."""
        names, means, covariance = self.contrasts(kind)
        sds = np.sqrt(np.maximum(np.diag(covariance), 0))
        return [(name, float(mean), float(sd)) for name, mean, sd in zip(names, means, sds, strict=True)]

    def to_bytes(self) -> bytes:
        """The state as a file; the same state gives the same bytes."""
        return write_state(self.params, self.roster, self.arrays, self.last)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Read what `to_bytes` wrote; raises ModelFileError on anything else."""
        return cls(*read_state(blob))


def covariance(s: arrays.Arrays, f: int) -> NDArray[np.float64]:
    """Shape (n, n): filter f's covariance in full, what waits included; states not in use are zero."""
    used, waits = int(s.counters[arrays.N_USED]), int(s.counters[arrays.WAITS + f])
    high = np.triu(s.C[f])
    whole = high + np.triu(high, 1).T
    u = s.waiting_u[f, :waits, :used]
    whole[:used, :used] -= (u / s.waiting_var[f, :waits, None]).T @ u
    return np.asarray(whole)
