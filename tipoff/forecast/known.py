"""What a filter knows, for reading alone: forecasts, strengths, reasons; numpy only, so that light processes can.

The same sums as the compiled walk (`kernels.filter.forecast`), one match at a time: they agree to 1e-9.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tipoff.domain.match import Fixture
from tipoff.errors import ModelFileError
from tipoff.forecast import arrays
from tipoff.forecast.distribution import ScoreDistribution
from tipoff.forecast.onematch import OneMatch, take_apart
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.table import Roster, minutes

FORMAT = 1


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
        return 0 if index is None or index >= len(self.arrays.played) else int(self.arrays.played[index])

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

    def strengths(self, kind: str = "players") -> list[tuple[str, float, float]]:
        """Each player's (or team's) margin strength against the mean of all and its standard deviation, in points."""
        names, means, covariance = self.contrasts(kind)
        sds = np.sqrt(np.maximum(np.diag(covariance), 0))
        return [(name, float(mean), float(sd)) for name, mean, sd in zip(names, means, sds, strict=True)]

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
    def from_bytes(cls, blob: bytes) -> Self:
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


def _symmetric(lower: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.tril(lower)
    return np.asarray(low + np.tril(lower, -1).T)
