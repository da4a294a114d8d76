"""The filter's state that learns: what is known after some results, learned in place by the compiled loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tipoff.domain.match import Match
from tipoff.forecast import arrays
from tipoff.forecast.kernels import walk
from tipoff.forecast.known import KnownState
from tipoff.forecast.params import Params
from tipoff.forecast.table import MatchTable, Roster, build_table, minutes
from tipoff.forecast.walking import learn_table


def room(roster: Roster, slots: int = 0) -> arrays.Size:
    """Array sizes that hold `roster` and so many sessions at once, rounded up so that growing is rare."""
    return arrays.Size(
        _up(len(roster.players), 16),
        _up(len(roster.teams), 8),
        _up(len(roster.pairs), 256),
        _up(len(roster.streams), 4),
        _up(slots, 8),
    )


def _up(count: int, step: int) -> int:
    return max(step, -(-count // step) * step)


class FilterState(KnownState):
    """A state that can learn."""

    @classmethod
    def fresh(cls, params: Params) -> FilterState:
        """Nothing learned yet."""
        roster = Roster()
        made = arrays.empty(room(roster))
        walk.start(made, params.as_array())
        return cls(params, roster, made)

    def learn(self, matches: Sequence[Match]) -> None:
        """Learn final matches in order of (start, external id).

        Raises ValueError when one does not come after all that was learned: the state is a function of the
        sorted set of results, so the caller must start afresh then.
        """
        table = build_table(matches, self.roster)
        if len(table) == 0:
            return
        first = (int(table.start[0]), table.ids[0])
        if self.last is not None and first <= self.last:
            raise ValueError(f"{first[1]} does not come after {self.last[1]}: learn from the beginning instead")
        self._make_room(table)
        learn_table(self.arrays, self.params.as_array(), table, self.params.session_gap)
        self.last = (int(table.start[-1]), table.ids[-1])

    def follows(self, match: Match) -> bool:
        """Whether `match` sorts after everything learned."""
        return self.last is None or (minutes(match.start), match.external_id) > self.last

    def _make_room(self, table: MatchTable) -> None:
        have = arrays.size_of(self.arrays)
        need = room(self.roster, _slots(self.arrays, table, self.params.session_gap))
        if have.at_least(need) != have:
            self.arrays = arrays.grown(self.arrays, have.at_least(need))


def _slots(s: arrays.Arrays, table: MatchTable, gap: int) -> int:
    """Session slots in use once `table` is learned on top of what `s` knows."""
    size = arrays.size_of(s)
    players = np.full((max(len(table.roster.players), size.players), s.players.shape[1]), arrays.NEVER)
    holders = np.full(max(len(players), size.slots), arrays.NEVER)
    players[: size.players], holders[: size.slots] = s.players, s.slots[:, arrays.SLOT_PLAYER]
    used = int(s.counters[arrays.N_SLOTS])
    return int(walk.slots_needed(players, holders, used, table.index, table.start, gap))


def state_after(params: Params, matches: Sequence[Match]) -> FilterState:
    """The state after all of `matches`, learned from nothing."""
    state = FilterState.fresh(params)
    state.learn(matches)
    return state


def state_after_parts(params: Params, parts: Iterable[Sequence[Match]]) -> FilterState:
    """The same from matches that come in order part by part, so that no more than one part is in memory."""
    state = FilterState.fresh(params)
    for part in parts:
        state.learn(part)
    return state


def room_for(table: MatchTable, gap: int) -> arrays.Size:
    """Array sizes that hold everything in `table`."""
    return room(table.roster, _slots(arrays.empty(room(table.roster)), table, gap))


def empty_arrays(table: MatchTable, params: Params) -> arrays.Arrays:
    """Fresh arrays with room for everything in `table`."""
    made = arrays.empty(room_for(table, params.session_gap))
    walk.start(made, params.as_array())
    return made
