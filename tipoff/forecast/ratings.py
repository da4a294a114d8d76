"""Strengths side by side: who is ahead, by how much, and who cannot be told apart."""

from __future__ import annotations

import dataclasses

import numpy as np

from tipoff.forecast.known import KnownState

Z80 = 1.2815516
Z95_ONE_SIDED = 1.6448536


@dataclasses.dataclass(frozen=True, slots=True)
class Rated:
    """A player's (or team's) strength in points of margin against the mean, with its 80 % interval.

    Members of one `group` cannot be told from the group's best: the difference is within chance (P below
    95 % that the best really is better, errors shared between the two taken into account).
    """

    rank: int
    group: int
    name: str
    strength: float
    sd: float
    low: float
    high: float
    matches: int | None


def leaderboard(state: KnownState, kind: str = "players", min_matches: int = 20) -> list[Rated]:
    """Strongest first; players with fewer than `min_matches` known results are left out."""
    names, means, covariance = state.contrasts(kind)
    played = {name: state.known_of(name) for name in names} if kind == "players" else {}
    shown = [i for i, name in enumerate(names) if kind != "players" or played[name] >= min_matches]
    shown.sort(key=lambda i: (-means[i], names[i]))
    rated: list[Rated] = []
    group, best = 0, -1
    for rank, i in enumerate(shown, start=1):
        if best < 0 or _apart(means, covariance, best, i):
            group, best = group + 1, i
        sd = float(np.sqrt(max(covariance[i, i], 0.0)))
        mean = float(means[i])
        rated.append(Rated(rank, group, names[i], mean, sd, mean - Z80 * sd, mean + Z80 * sd, played.get(names[i])))
    return rated


def _apart(means: np.ndarray, covariance: np.ndarray, best: int, other: int) -> bool:
    variance = covariance[best, best] + covariance[other, other] - 2 * covariance[best, other]
    return bool(means[best] - means[other] >= Z95_ONE_SIDED * np.sqrt(max(variance, 0.0)))
