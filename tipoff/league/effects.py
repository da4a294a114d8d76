"""The hidden truth: strengths that drift, and effects of teams, pairs and streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tipoff.league.names import TEAMS
from tipoff.league.truth import LeagueSettings, Truth

F64 = NDArray[np.float64]
STREAMS = 6
CHUNK = 512
"""days of random walk that are drawn at once"""


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """Random numbers for one purpose, the same whatever was drawn before."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *purpose])))


class Effects:
    """Everything of one observed quantity (which: 0 margin, 1 total) that lasts longer than a session."""

    def __init__(self, settings: LeagueSettings, which: int, tiers: NDArray[np.int64]) -> None:
        truth: Truth = settings.total if which else settings.margin
        rng = generator(settings.seed, 1, which)
        n = len(tiers)
        tier = rng.normal(0, np.sqrt(truth.v_tier), int(tiers.max()) + 1)
        self._tier_mean = tier[tiers]
        self._start = rng.normal(0, np.sqrt(truth.v_within), n)
        self._team_start = rng.normal(0, np.sqrt(truth.v_team), len(TEAMS))
        self.player_team = rng.normal(0, np.sqrt(truth.v_player_team), (n, len(TEAMS)))
        pair = np.triu(rng.normal(0, np.sqrt(truth.v_pair), (n, n)), 1)
        self.pair = pair + pair.T if which else pair - pair.T
        self.stream = rng.normal(0, np.sqrt(truth.v_stream), STREAMS)
        self.truth = truth
        self._seed, self._which = settings.seed, which
        self._walks: list[tuple[F64, F64]] = []

    def strengths(self, day: int) -> tuple[F64, F64]:
        """Strengths of players and of teams on a league day, in points."""
        while len(self._walks) <= day // CHUNK:
            rng = generator(self._seed, 2, self._which, len(self._walks))
            before = self._walks[-1] if self._walks else None
            t = self.truth
            players = _revert(rng, self._start if before is None else before[0][-1], t.q, t.v_within)
            teams = _revert(rng, self._team_start if before is None else before[1][-1], t.q_team, t.v_team)
            self._walks.append((players, teams))
        players, teams = self._walks[day // CHUNK]
        return self._tier_mean + players[day % CHUNK], teams[day % CHUNK]


def _revert(rng: np.random.Generator, start: F64, q: float, variance: float) -> F64:
    """CHUNK days of a process with that variance whose steps have variance q (Ornstein-Uhlenbeck)."""
    keep = 1 - q / (2 * variance)
    path = np.empty((CHUNK, len(start)))
    steps = rng.normal(0, np.sqrt(variance * (1 - keep * keep)), path.shape)
    for i in range(CHUNK):
        start = keep * start + steps[i]
        path[i] = start
    return path
