"""The filter's state: what is known after some results; learns in place, forecasts without changing."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.match import Fixture, Match
from tipoff.errors import ModelFileError
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.kernels import arrays, walk
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.table import MatchTable, Roster, build_table, minutes

FORMAT = 1


def room(roster: Roster) -> tuple[int, int, int, int]:
    """Array sizes that hold `roster`, rounded up so that growing is rare."""
    return (
        _up(len(roster.players), 16),
        _up(len(roster.teams), 8),
        _up(len(roster.pairs), 256),
        _up(len(roster.streams), 4),
    )


def _up(count: int, step: int) -> int:
    return max(step, -(-count // step) * step)


@dataclasses.dataclass(slots=True)
class FilterState:
    """Both filters after `matches` results; `last` is the (minute, external id) learned last."""

    params: Params
    roster: Roster
    arrays: arrays.Arrays
    last: tuple[int, str] | None = None

    @classmethod
    def fresh(cls, params: Params) -> FilterState:
        """Nothing learned yet."""
        roster = Roster()
        made = arrays.empty(*room(roster))
        walk.start(made, params.as_array())
        return cls(params, roster, made)

    @property
    def matches(self) -> int:
        """How many results were learned."""
        return int(self.arrays.counters[arrays.N_MATCHES])

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
        self._make_room()
        walk.learn_rows(
            self.arrays,
            self.params.as_array(),
            table.index,
            table.start,
            table.observed,
            self.params.session_gap,
        )
        self.last = (int(table.start[-1]), table.ids[-1])

    def known_of(self, player: str) -> int:
        """How many results of `player` were learned."""
        index = self.roster.players.get(player)
        return 0 if index is None or index >= len(self.arrays.played) else int(self.arrays.played[index])

    def follows(self, match: Match) -> bool:
        """Whether `match` sorts after everything learned."""
        return self.last is None or (minutes(match.start), match.external_id) > self.last

    def forecast(self, fixtures: Sequence[Fixture]) -> list[ScoreDistribution]:
        """A distribution for each fixture, in the order given; this state stays as it is."""
        scratch = FilterState(self.params, self.roster.copy(), self.arrays, self.last)
        tables = [build_table([_unplayed(fixture)], scratch.roster) for fixture in fixtures]
        if not tables:
            return []
        scratch._make_room()
        out = np.empty((2, len(tables), 2))
        walk.forecast_rows(
            scratch.arrays, self.params.as_array(), np.concatenate([t.index for t in tables]),
            np.concatenate([t.start for t in tables]), self.params.session_gap, out,
        )  # fmt: skip
        sd = np.sqrt(out[:, :, 1])
        return [
            ScoreDistribution(float(out[0, i, 0]), float(sd[0, i]), float(out[1, i, 0]), float(sd[1, i]))
            for i in range(len(tables))
        ]

    def parts(
        self, fixtures: Sequence[Fixture]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[int, int]]]:
        """What each forecast adds up (see `kernels.filter.parts`): weights (2, 5, n), own (2, 5), small (2, 6, 2).

        Last comes how many results are known of player A and of player B.
        """
        scratch = FilterState(self.params, self.roster.copy(), self.arrays, self.last)
        rows = [build_table([_unplayed(fixture)], scratch.roster) for fixture in fixtures]
        scratch._make_room()
        n = self.arrays.x.shape[1]
        taken = []
        for row in rows:
            weight, own, small = np.zeros((2, 5, scratch.arrays.x.shape[1])), np.zeros((2, 5)), np.zeros((2, 6, 2))
            walk.take_apart(
                scratch.arrays, self.params.as_array(), row.index[0], int(row.start[0]), self.params.session_gap,
                weight, own, small,
            )  # fmt: skip
            a, b = (int(scratch.arrays.played[i]) for i in row.index[0, :2])
            taken.append((weight[:, :, :n], own, small, (a, b)))
        return taken

    def mean_player(self) -> NDArray[np.float64]:
        """Shape (n,): the weights that make the mean of all players from the dense states; zero without any."""
        seen = self.arrays.pos_player[self.arrays.pos_player != arrays.NEVER]
        weights = np.zeros(self.arrays.x.shape[1])
        weights[seen] = 1 / max(len(seen), 1)
        return weights

    def covariances(self) -> NDArray[np.float64]:
        """Shape (2, n, n): both filters' covariances in full, in points squared."""
        return np.stack([_symmetric(c) for c in self.arrays.C])

    def contrasts(self, kind: str = "players") -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        """Names of all players (or "teams"), their margin strengths against their mean (k,), covariance (k, k)."""
        roster, position = (
            (self.roster.players, self.arrays.pos_player)
            if kind == "players"
            else (self.roster.teams, self.arrays.pos_team)
        )
        at = [(name, int(position[i])) for name, i in roster.items() if position[i] != arrays.NEVER]
        if not at:
            return [], np.empty(0), np.empty((0, 0))
        where = np.array([position for _, position in at])
        centre = np.eye(len(at)) - 1 / len(at)
        block = _symmetric(self.arrays.C[0])[np.ix_(where, where)]
        return [name for name, _ in at], centre @ self.arrays.x[0, where], centre @ block @ centre

    def strengths(self) -> list[tuple[str, float, float]]:
        """Each player's margin strength against the mean of all and its standard deviation, in points."""
        names, means, covariance = self.contrasts()
        sds = np.sqrt(np.maximum(np.diag(covariance), 0))
        return [(name, float(mean), float(sd)) for name, mean, sd in zip(names, means, sds, strict=True)]

    def _make_room(self) -> None:
        have = (
            len(self.arrays.pos_player), len(self.arrays.pos_team), len(self.arrays.pair_last),
            len(self.arrays.stream_last),
        )  # fmt: skip
        need = room(self.roster)
        if any(n > h for n, h in zip(need, have, strict=True)):
            size = [max(n, h) for n, h in zip(need, have, strict=True)]
            self.arrays = arrays.grown(self.arrays, size[0], size[1], size[2], size[3])

    def to_bytes(self) -> bytes:
        """An npz without pickled objects; the same state gives the same bytes."""
        names = {
            "players": list(self.roster.players),
            "teams": list(self.roster.teams),
            "streams": list(self.roster.streams),
            "pairs": [list(pair) for pair in self.roster.pairs],
            "last": self.last,
            "params": dataclasses.asdict(self.params),
            "format": FORMAT,
        }
        text = np.frombuffer(json.dumps(names, sort_keys=True).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, names=text, **self.arrays._asdict())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, blob: bytes) -> FilterState:
        """Read what `to_bytes` wrote; raises ModelFileError on anything else."""
        try:
            with np.load(io.BytesIO(blob), allow_pickle=False) as npz:
                names = json.loads(bytes(npz["names"]))
                made = arrays.Arrays(*(np.ascontiguousarray(npz[field]) for field in arrays.Arrays._fields))
            if names["format"] != FORMAT:
                raise ModelFileError(f"filter state has format {names['format']}, this Tipoff reads {FORMAT}")
            players, teams, streams = (
                {str(name): i for i, name in enumerate(names[kind])} for kind in ("players", "teams", "streams")
            )
            pairs = {(int(a), int(b)): i for i, (a, b) in enumerate(names["pairs"])}
            roster = Roster(players, teams, streams, pairs)
            params = params_from_dict(names["params"])
            last = None if names["last"] is None else (int(names["last"][0]), str(names["last"][1]))
        except (ValueError, KeyError, TypeError, IndexError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise ModelFileError(f"not a filter state of Tipoff: {error}") from error
        state = cls(params, roster, made, last)
        state._check()
        return state

    def _check(self) -> None:
        """Refuse arrays whose shapes, types or positions could take a compiled loop out of bounds."""
        a = self.arrays
        size = (len(a.pos_player), len(a.pos_team), len(a.pair_last), len(a.stream_last))
        if any(
            n > h
            for n, h in zip(
                map(len, dataclasses.astuple(self.roster)), (size[0], size[1], size[3], size[2]), strict=True
            )
        ):
            raise ModelFileError("filter state names more players, teams, streams or pairs than it has room for")
        n = len(a.x[0]) if a.x.ndim == 2 else 0
        for have, model, name in zip(a, arrays.empty(*size), arrays.Arrays._fields, strict=True):
            if have.shape != model.shape or have.dtype != model.dtype:
                raise ModelFileError(f"filter state has a {name} of shape {have.shape}, expected {model.shape}")
            if have.dtype == np.float64 and not np.isfinite(have).all():
                raise ModelFileError(f"filter state holds a {name} that is not finite")
        for name in ("pos_player", "pos_team", "slot_pos"):
            where = getattr(a, name)
            if where.min(initial=0) < arrays.NEVER or where.max(initial=0) >= n:
                raise ModelFileError(f"filter state holds a {name} outside its {n} states")
        slots = np.concatenate([a.slot_of, a.slot_player])
        if (
            slots.min() < arrays.NEVER
            or slots.max() >= size[0]
            or not 0 < a.counters[arrays.N_USED] <= n
            or not 0 <= a.counters[arrays.N_SLOTS] <= size[0]
        ):
            raise ModelFileError("filter state holds session slots or counters out of range")


def _unplayed(fixture: Fixture) -> Fixture:
    names = [field.name for field in dataclasses.fields(Fixture)]
    return Fixture(**{name: getattr(fixture, name) for name in names})


def _symmetric(lower: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.tril(lower)
    return np.asarray(low + np.tril(lower, -1).T)


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


def empty_arrays(table: MatchTable, params: Params) -> arrays.Arrays:
    """Fresh arrays with room for everyone in `table`."""
    made = arrays.empty(*room(table.roster))
    walk.start(made, params.as_array())
    return made
