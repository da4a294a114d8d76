"""How one match is taken apart: what its forecast adds up, state by state.

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
    Arrays,
)
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
from tipoff.forecast.onematch import F64, LOCAL, PLAYERS, SESSIONS, TEAMS, OneMatch
from tipoff.forecast.table import UNKNOWN, LookedUp


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
