"""A filter's state as bytes: an npz without pickled objects, uncompressed because it is read at every forecast.

The covariance is kept as the upper triangle of the states in use. What earlier versions wrote (format 1, before there
were additions) is read too.
"""

from __future__ import annotations

import dataclasses
import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tipoff.errors import ModelFileError
from tipoff.forecast import arrays
from tipoff.forecast.columns import REGRESSORS, V_REGRESSOR
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.table import Roster

FORMAT = 2
MOST = 1e12
"""points squared that no filter comes near"""
ROUNDING = 1e-6
Parts = tuple[Params, Roster, arrays.Arrays, tuple[int, str] | None]


def write_state(params: Params, roster: Roster, made: arrays.Arrays, last: tuple[int, str] | None) -> bytes:
    """The same state gives the same bytes."""
    names = {
        "players": list(roster.players),
        "teams": list(roster.teams),
        "streams": list(roster.streams),
        "pairs": [list(pair) for pair in roster.pairs],
        "last": last,
        "params": dataclasses.asdict(params),
        "format": FORMAT,
    }
    text = np.frombuffer(json.dumps(names, sort_keys=True).encode(), dtype=np.uint8)
    used = made.C[:, *np.triu_indices(made.counters[arrays.N_USED])]
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, names=text, **(made._asdict() | {"C": used}))
    return buffer.getvalue()


def read_state(blob: bytes) -> Parts:
    """Read what `write_state` wrote; raises ModelFileError on anything else."""
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as npz:
            names = json.loads(bytes(npz["names"]))
            parts = {name: npz[name] for name in npz.files if name != "names"}
        if names["format"] not in (1, FORMAT):
            raise ModelFileError(f"filter state has format {names['format']}, this Tipoff reads 1 and {FORMAT}")
        made = _before_additions(parts) if names["format"] == 1 else _unpacked(parts)
        roster = _roster(names)
        params = params_from_dict(names["params"])
        last = None if names["last"] is None else (int(names["last"][0]), str(names["last"][1]))
        _check(roster, params, made)
    except _FOREIGN as error:
        raise ModelFileError(f"not a filter state of Tipoff: {error}") from error
    return params, roster, made, last


_FOREIGN = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, EOFError, OSError, MemoryError,
    RuntimeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""what numpy, zipfile and json say of a file that is none of ours"""


def _roster(names: Mapping[str, Any]) -> Roster:
    players, teams, streams = (
        {str(name): i for i, name in enumerate(names[kind])} for kind in ("players", "teams", "streams")
    )
    pairs = {(int(a), int(b)): i for i, (a, b) in enumerate(names["pairs"])}
    roster = Roster(players, teams, streams, pairs)
    for kind in ("players", "teams", "streams", "pairs"):
        if len(getattr(roster, kind)) != len(names[kind]):
            raise ModelFileError(f"filter state names some of its {kind} twice")
    return roster


def _unpacked(parts: Mapping[str, NDArray[Any]]) -> arrays.Arrays:
    n, used = parts["x"].shape[1], int(parts["counters"][arrays.N_USED])
    if not 0 < used <= n or parts["C"].dtype != np.float64 or parts["C"].shape != (2, used * (used + 1) // 2):
        raise ModelFileError(f"filter state says that {used} of its {n} states are in use")
    whole = np.zeros((2, n, n))
    whole[:, *np.triu_indices(used)] = parts["C"]
    return arrays.Arrays(
        **{field: np.ascontiguousarray(parts[field]) for field in arrays.Arrays._fields if field != "C"}, C=whole
    )


def _before_additions(parts: Mapping[str, NDArray[Any]]) -> arrays.Arrays:
    """Format 1 had an array for everything, a slot a player, the lower triangle, and nothing that additions need."""
    used, slots = int(parts["counters"][arrays.N_USED]), int(parts["counters"][arrays.N_SLOTS])
    size = arrays.Size(
        len(parts["pos_player"]), len(parts["pos_team"]), len(parts["pair_last"]), len(parts["stream_last"]),
        max(slots, 1),
    )  # fmt: skip
    made = arrays.empty(size)
    if not 0 < used <= size.states or not 0 <= slots <= size.players:
        raise ModelFileError(f"filter state says that {used} of {size.states} states and {slots} slots are in use")
    made.x[:, :used] = parts["x"][:, :used]
    made.C[:, :used, :used] = parts["C"][:, :used, :used].transpose(0, 2, 1)
    made.counters[:4] = parts["counters"]
    for column, name in ((arrays.POS, "pos_player"), (arrays.LAST, "last_player"), (arrays.PLAYED, "played"),
                         (arrays.SESSION, "session"), (arrays.SLOT, "slot_of")):  # fmt: skip
        made.players[:, column] = parts[name]
    for column, name in enumerate(("slot_pos", "slot_player")):
        made.slots[:slots, column] = parts[name][:slots]
    for column, name in enumerate(("pos_team", "last_team")):
        made.teams[:, column] = parts[name]
    for column, name in enumerate(("pt_mean", "pt_var", "pts_mean", "pts_var")):
        made.grid[..., column] = parts[name]
    for column, name in enumerate(("pt_last", "pts_session")):
        made.grid_seen[..., column] = parts[name]
    for column, name in enumerate(("mean", "var")):
        made.pairs[..., column], made.streams[..., column] = parts[f"pair_{name}"], parts[f"stream_{name}"]
    made.pair_last[:], made.stream_last[:] = parts["pair_last"], parts["stream_last"]
    return made


def _check(roster: Roster, params: Params, a: arrays.Arrays) -> None:
    """Refuse what a filter can't have come to: arrays that could take a compiled loop out of bounds, or to NaN."""
    size = arrays.size_of(a)
    named = (len(roster.players), len(roster.teams), len(roster.pairs), len(roster.streams))
    if any(n > room for n, room in zip(named, (size.players, size.teams, size.pairs, size.streams), strict=True)):
        raise ModelFileError("filter state names more players, teams, streams or pairs than it has room for")
    for have, model, name in zip(a, arrays.empty(size), arrays.Arrays._fields, strict=True):
        if have.shape != model.shape or have.dtype != model.dtype:
            raise ModelFileError(f"filter state has a {name} of shape {have.shape}, expected {model.shape}")
        if have.dtype == np.float64 and not (np.abs(have) < MOST).all():
            raise ModelFileError(f"filter state holds a {name} that is not finite, or beyond any score")
    _check_places(params, a)
    _check_times(params, a)
    _check_variances(a)


def _check_variances(a: arrays.Arrays) -> None:
    waits = a.counters[arrays.WAITS :]
    if not ((waits >= 0) & (waits < arrays.WAITING)).all():
        raise ModelFileError("filter state holds counters out of range")
    parts = [a.grid[..., 1::2], a.pairs[..., 1], a.streams[..., 1]]
    for f in range(2):
        used, var = int(a.counters[arrays.N_USED]), a.waiting_var[f, : waits[f], None]
        known = np.diagonal(a.C[f])[:used]
        with np.errstate(all="ignore"):
            left = known - (a.waiting_u[f, : waits[f], :used] ** 2 / var).sum(axis=0)
        parts += [known, var[var <= 0] - 1, left + ROUNDING * (1 + known)]
    if not all((part >= 0).all() for part in parts):
        raise ModelFileError("filter state holds variances below zero")


def _check_places(params: Params, a: arrays.Arrays) -> None:
    """Each dense state in use belongs to one player, team or slot, and each slot in use to one player."""
    first = 1 + (REGRESSORS if (params.as_array()[:, V_REGRESSOR] > 0).any() else 0)
    slots = int(a.counters[arrays.N_SLOTS])
    at = np.concatenate([a.players[:, arrays.POS], a.teams[:, arrays.POS], a.slots[:, arrays.SLOT_POS]])
    if not np.array_equal(np.sort(at[at != arrays.NEVER]), np.arange(first, a.counters[arrays.N_USED])):
        raise ModelFileError("filter state holds positions that are not those of the states in use")
    linked = a.players[:, arrays.LINKED]
    known = np.flatnonzero(a.players[:, arrays.POS] != arrays.NEVER)
    if not np.isin(linked[linked != arrays.NEVER], known).all():
        raise ModelFileError("filter state holds a first opponent who is not among its players")
    holders = a.slots[:, arrays.SLOT_PLAYER]
    theirs = np.flatnonzero(a.players[:, arrays.SLOT] != arrays.NEVER)
    slot = a.players[theirs, arrays.SLOT]
    if not (
        0 <= slots <= len(holders) and np.array_equal(np.sort(slot), np.arange(slots))
        and np.array_equal(holders[slot], theirs) and (a.slots[:slots, arrays.SLOT_POS] != arrays.NEVER).all()
    ):  # fmt: skip
        raise ModelFileError("filter state holds session slots that are not those of its players")


def _check_times(params: Params, a: arrays.Arrays) -> None:
    """Nobody was seen after the last result; who may still be in a session has its slot, and counts go up from 0."""
    now, last = a.counters[arrays.LAST_BASE], a.players[:, arrays.LAST]
    seen = (a.players[:, arrays.POS] != arrays.NEVER) == (last != arrays.NEVER)
    recent = (last != arrays.NEVER) & (now - last <= params.session_gap)
    counts = a.players[:, [arrays.PLAYED, arrays.SESSION, arrays.IN_SESSION]]
    if (
        not seen.all() or (a.players[recent, arrays.SLOT] == arrays.NEVER).any()
        or not arrays.NEVER <= a.counters[arrays.FIRST] <= now or not ((counts >= 0) & (counts < MOST)).all()
        or any((part < arrays.NEVER).any() or (part > now).any() for part in (
            last, a.teams[:, arrays.LAST], a.grid_seen[..., arrays.PT_LAST], a.pair_last, a.stream_last,
        ))
    ):  # fmt: skip
        raise ModelFileError("filter state holds times or counts that no results lead to")
