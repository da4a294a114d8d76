"""Why a forecast says what it says: additive parts in points, with their uncertainty, in plain words.

The mean of a linear Gaussian model is a sum over its states, so taking it apart is exact: the parts add up
to the mean margin and the mean total (to 1e-9). Players are measured against the mean player, which only
moves points between "level" and "players"; the sum stays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.match import Fixture
from tipoff.forecast.arrays import Arrays
from tipoff.forecast.certainty import Certainty, certainty
from tipoff.forecast.columns import FEW, REGRESSORS
from tipoff.forecast.known import KnownState
from tipoff.forecast.onematch import OneMatch

NOTHING = 0.05
"""points that round to 0.0"""
CIRCUMSTANCES = "rest and hour"
PARTS = (
    "level", "players", "teams", "form", CIRCUMSTANCES, "player with team", "team today", "pair", "stream",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One reason: points it adds to the margin (side A ahead) and to the total, each with its deviation."""

    name: str
    margin: float
    margin_sd: float
    total: float
    total_sd: float
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """All parts of one forecast; `known` is how many results are known of player A and of player B."""

    parts: list[Part]
    margin_mean: float
    total_mean: float
    known: tuple[int, int]
    cautions: list[str]
    certainty: Certainty


def explain(state: KnownState, fixtures: Sequence[Fixture]) -> list[Explanation]:
    """Take the forecast of each fixture apart, in the order given; the state stays as it is."""
    mean_player = state.mean_player()
    covariances = state.covariances()
    return [
        _explanation(fixture, one, state.arrays, covariances, mean_player)
        for fixture, one in zip(fixtures, state.parts(fixtures), strict=True)
    ]


def _explanation(
    fixture: Fixture, one: OneMatch, s: Arrays, covariances: NDArray[np.float64], mean_player: NDArray[np.float64],
) -> Explanation:  # fmt: skip
    means, sds = np.zeros((2, len(PARTS))), np.zeros((2, len(PARTS)))
    for f in range(2):
        w, own = one.parts(f, s.x.shape[1])
        moved = w[1].sum() * mean_player
        w[0] += moved
        w[1] -= moved if mean_player.any() else 0.0
        used = np.flatnonzero(w.any(axis=0))
        block = covariances[f][np.ix_(used, used)]
        variances = np.einsum("pi,ij,pj->p", w[:, used], block, w[:, used]) + own
        shift, less = one.drawn_together(f, s.x[f], covariances[f], w)
        means[f, :5] = w @ s.x[f] - shift
        if f == 0:
            means[0, 1], variances[1] = np.array([means[0, 1], variances[1]]) + one.doubted(s)
        sds[f, :5] = np.sqrt(np.maximum(variances - less, 0))
        grouped = ((0, 1), (2, 3), (4,), (5,))
        for part, terms in enumerate(grouped, start=5):
            means[f, part] = sum(one.small[f, k, 0] for k in terms)
            sds[f, part] = np.sqrt(sum(one.small[f, k, 1] for k in terms))
        means[f] *= one.scale[f]
        sds[f] *= one.scale[f]
    parts = [
        Part(name, float(means[0, i]), float(sds[0, i]), float(means[1, i]), float(sds[1, i]),
             _words(name, fixture, float(means[0, i]), float(means[1, i]), known=bool(sds[:, i].any())))
        for i, name in enumerate(PARTS)
        if name != CIRCUMSTANCES or one.weights[1, 1 : 1 + REGRESSORS].any()
    ]  # fmt: skip
    cautions = [
        f"only {n} results of {player} are known, so the forecast leans on what newcomers usually do"
        for player, n in zip((fixture.player_a, fixture.player_b), one.known, strict=True)
        if n < FEW
    ]
    return Explanation(
        parts,
        float(means[0].sum()),
        float(means[1].sum()),
        one.known,
        cautions,
        certainty(fixture, *one.signal(s, 0), float(one.noise[0])),
    )


def _words(name: str, fixture: Fixture, margin: float, total: float, *, known: bool) -> str:
    """The part in a sentence; `known` is False where the match lacks what it is about."""
    if not known:
        return (
            f"the {'teams' if 'team' in name else name} of this match {'are' if 'team' in name else 'is'} not known"
        )
    if name not in ("level", "stream", CIRCUMSTANCES) and abs(margin) < NOTHING:
        return "makes no difference to who wins"
    a, b = fixture.player_a, fixture.player_b
    ahead, behind = (a, b) if margin >= 0 else (b, a)
    ahead_team, behind_team = (fixture.team_a, fixture.team_b) if margin >= 0 else (fixture.team_b, fixture.team_a)
    points = f"{abs(margin):.1f} points"
    sentences = {
        "level": f"two average players of this league make {total:.0f} points together now",
        "players": f"{ahead} is {points} stronger than {behind}",
        "teams": f"{ahead_team or 'the team'} is worth {points} more than {behind_team or 'the other'}",
        "form": f"today {ahead} plays {points} better than usual, compared with {behind}",
        CIRCUMSTANCES: f"rest, hour and place in the session move the total by {total:+.1f} points",
        "player with team": f"{ahead} does {points} better with this team than {behind} with theirs",
        "team today": f"with these teams today {ahead} has been {points} better than expected",
        "pair": f"against each other {ahead} has done {points} better than their strengths say",
        "stream": f"on this stream matches end {abs(total):.1f} points {'higher' if total >= 0 else 'lower'}",
    }
    return sentences[name]
