"""A filter's state as bytes: an npz without pickled objects, uncompressed because it is read at every forecast.

The covariance is kept as the upper triangle of the states in use. What earlier versions wrote (format 1, before there
were additions) is read too.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tipoff.errors import ModelFileError
from tipoff.forecast import arrays
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.table import Roster

FORMAT = 2
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
        players, teams, streams = (
            {str(name): i for i, name in enumerate(names[kind])} for kind in ("players", "teams", "streams")
        )
        pairs = {(int(a), int(b)): i for i, (a, b) in enumerate(names["pairs"])}
        roster = Roster(players, teams, streams, pairs)
        params = params_from_dict(names["params"])
        last = None if names["last"] is None else (int(names["last"][0]), str(names["last"][1]))
        _check(roster, made)
    except (ValueError, KeyError, TypeError, IndexError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"not a filter state of Tipoff: {error}") from error
    return params, roster, made, last


def _unpacked(parts: Mapping[str, NDArray[Any]]) -> arrays.Arrays:
    n, used = parts["x"].shape[1], int(parts["counters"][arrays.N_USED])
    if not 0 < used <= n or parts["C"].dtype != np.float64:
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


def _check(roster: Roster, a: arrays.Arrays) -> None:
    """Refuse arrays whose shapes, types or positions could take a compiled loop out of bounds."""
    size = arrays.size_of(a)
    named = (len(roster.players), len(roster.teams), len(roster.pairs), len(roster.streams))
    if any(n > room for n, room in zip(named, (size.players, size.teams, size.pairs, size.streams), strict=True)):
        raise ModelFileError("filter state names more players, teams, streams or pairs than it has room for")
    for have, model, name in zip(a, arrays.empty(size), arrays.Arrays._fields, strict=True):
        if have.shape != model.shape or have.dtype != model.dtype:
            raise ModelFileError(f"filter state has a {name} of shape {have.shape}, expected {model.shape}")
        if have.dtype == np.float64 and not np.isfinite(have).all():
            raise ModelFileError(f"filter state holds a {name} that is not finite")
    for where, limit, name in (
        (a.players[:, arrays.POS], size.states, "position of a player"),
        (a.teams[:, arrays.POS], size.states, "position of a team"),
        (a.slots[:, arrays.SLOT_POS], size.states, "position of a slot"),
        (a.players[:, arrays.SLOT], size.slots, "slot of a player"),
        (a.players[:, arrays.LINKED], size.players, "first opponent of a player"),
        (a.slots[:, arrays.SLOT_PLAYER], size.players, "player of a slot"),
    ):  # fmt: skip
        if where.min(initial=0) < arrays.NEVER or where.max(initial=0) >= limit:
            raise ModelFileError(f"filter state holds a {name} outside its {limit}")
    waits = a.counters[arrays.WAITS :]
    if (
        not 0 < a.counters[arrays.N_USED] <= size.states or not 0 <= a.counters[arrays.N_SLOTS] <= size.slots
        or not ((waits >= 0) & (waits < arrays.WAITING)).all()
        or not all((a.waiting_var[f, : waits[f]] > 0).all() for f in range(2))
    ):  # fmt: skip
        raise ModelFileError("filter state holds session slots or counters out of range")
