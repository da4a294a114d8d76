"""States and models as files: those of the version before there were additions, and those that somebody damaged."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.simulated import simulate
from tipoff.domain.match import Match, MatchStatus
from tipoff.errors import ModelFileError
from tipoff.forecast import arrays
from tipoff.forecast.additions import ADDITIONS
from tipoff.forecast.fit import fit_filter
from tipoff.forecast.known import KnownState
from tipoff.forecast.model import read_model
from tipoff.forecast.params import BUILT_IN
from tipoff.forecast.state import FilterState, state_after
from tipoff.forecast.table import build_table, in_order

FORMAT1 = Path(__file__).parent / "format1"
"""a model that commit 7e924ec wrote, and what that commit's code forecast from it"""
Parts = dict[str, Any]


@pytest.fixture(scope="module")
def old_blob() -> bytes:
    """A state of format 1."""
    return gzip.decompress((FORMAT1 / "state.npz.gz").read_bytes())


@pytest.fixture(scope="module")
def new_blob() -> bytes:
    """A state of today, with updates that wait."""
    state = state_after(BUILT_IN, in_order(simulate(1)[0])[:101])
    assert state.arrays.counters[arrays.WAITS :].all()
    return state.to_bytes()


@pytest.fixture
def blob(request: pytest.FixtureRequest, old_blob: bytes, new_blob: bytes) -> bytes:
    """One of either."""
    return old_blob if request.param == "old" else new_blob


both = pytest.mark.parametrize("blob", ["old", "new"], indirect=True)


def test_a_model_of_the_version_before_forecasts_as_it_did(old_blob: bytes) -> None:
    """An update of Tipoff that turns the champion into another model, at once or as it learns on."""
    told = json.loads((FORMAT1 / "forecasts.json").read_text())
    matches = [
        Match(i, dt.datetime.fromisoformat(start), a, b, team_a, team_b, stream, MatchStatus.FINAL, score_a, score_b)
        for i, start, a, b, team_a, team_b, stream, score_a, score_b in told["matches"]
    ]
    model = read_model((FORMAT1 / "model.json").read_bytes(), lambda _: old_blob)
    said = [dataclasses.astuple(d) for d in model.state.forecast(matches[80:100])]
    model.state.learn(matches[80:100])
    again = FilterState.from_bytes(model.state.to_bytes())
    said += [dataclasses.astuple(d) for d in again.forecast(matches[100:])]
    assert np.allclose(said, told["said"], rtol=0, atol=1e-9)
    replayed = state_after(model.params, matches[:100]).forecast(matches[100:])
    assert np.allclose([dataclasses.astuple(d) for d in replayed], told["said"][20:], rtol=0, atol=1e-9)


def test_a_model_of_the_version_before_begins_a_training(old_blob: bytes) -> None:
    """A search that can't begin where there was no value yet."""
    start = read_model((FORMAT1 / "model.json").read_bytes(), lambda _: old_blob).params
    assert (start.additions, BUILT_IN.additions) == ((), tuple(ADDITIONS))
    table = build_table(simulate(1)[0])
    for which, begun in enumerate((start.margin, start.total)):
        found = fit_filter(table, which, BUILT_IN, dataclasses.replace(begun, v0=60.0), enough=lambda: True)
        built_in = (BUILT_IN.margin, BUILT_IN.total)[which]
        assert (found.evaluations, found.params.v0) == (1, pytest.approx(60.0))
        assert [found.params.v_late, found.params.v_scale, found.params.q_session] == pytest.approx(
            [built_in.v_late, built_in.v_scale, built_in.q_session]
        )


def test_what_was_learned_since_is_forgotten_by_no_cut() -> None:
    """Live numbers that differ from the walk because updates waited when the state was saved."""
    matches = in_order(simulate(2)[0])[:330]
    whole = state_after(BUILT_IN, matches)
    for cut in range(300, 300 + 2 * arrays.WAITING):
        state = FilterState.from_bytes(state_after(BUILT_IN, matches[:cut]).to_bytes())
        state.learn(matches[cut:])
        assert state.to_bytes() == whole.to_bytes(), cut


def changed(blob: bytes, change: Callable[[Parts, Parts], None]) -> bytes:
    """The file with other names or arrays."""
    with np.load(io.BytesIO(blob)) as npz:
        parts: Parts = {name: npz[name] for name in npz.files}
    names = json.loads(bytes(parts["names"]))
    change(parts, names)
    parts["names"] = np.frombuffer(json.dumps(names).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **parts)
    return buffer.getvalue()


def _set(name: str, where: Any, value: float) -> Callable[[Parts, Parts], None]:
    def change(parts: Parts, _names: Parts) -> None:
        parts[name][where] = value

    return change


def _repeated(kind: str) -> Callable[[Parts, Parts], None]:
    def change(_parts: Parts, names: Parts) -> None:
        names[kind] = names[kind][:1] * 5000

    return change


EITHER: dict[str, Callable[[Parts, Parts], None]] = {
    "nothing left to put a new state": _set("counters", arrays.N_USED, 48),
    "no slots in use": _set("counters", arrays.N_SLOTS, 0),
    "a player far beyond the room": _repeated("players"),
    "a team far beyond the room": _repeated("teams"),
    "a pair far beyond the room": _repeated("pairs"),
    "a mean that is no number": _set("x", (0, 0), np.nan),
    "a mean beyond all scores": _set("x", (1, 0), 1e300),
    "an array that is not there": lambda parts, _: parts.pop("x"),
}
NEW: dict[str, Callable[[Parts, Parts], None]] = {
    "counts of another type": lambda parts, _: parts.update(counters=parts["counters"].astype(np.int32)),
    "two players at one place": _set("players", (slice(2), arrays.POS), 7),
    "a player in the place of the level": _set("players", (0, arrays.POS), 0),
    "two players with one slot": _set("players", (slice(2), arrays.SLOT), 0),
    "one player with all slots": _set("slots", (slice(None), arrays.SLOT_PLAYER), 0),
    "a player seen in the future": _set("players", (0, arrays.LAST), 2**62),
    "a player seen before there was time": _set("players", (0, arrays.LAST), -(2**63)),
    "a session that goes on without a slot": _set("players", (slice(None), arrays.SLOT), -1),
    "more updates that wait than there is room for": _set("counters", arrays.WAITS, arrays.WAITING),
    "an update that takes away more than there is": _set("waiting_var", (slice(None), 0), 1e-300),
    "a variance below zero": _set("pairs", (0, 0, 1), -5.0),
    "a triangle that is none": lambda parts, _: parts.update(C=parts["C"][:, :-1]),
    "as many states as fit into no memory": lambda parts, _: parts.update(x=np.zeros((2, 10**7))),
}


@pytest.mark.parametrize("name", EITHER)
@both
def test_arrays_that_no_results_lead_to_are_refused(blob: bytes, name: str) -> None:
    """A compiled loop, which looks at no bounds, led out of them by a file."""
    assert FilterState.from_bytes(changed(blob, lambda _parts, _names: None)).matches > 0
    with pytest.raises(ModelFileError):
        FilterState.from_bytes(changed(blob, EITHER[name]))


@pytest.mark.parametrize("name", NEW)
def test_arrays_of_today_that_no_results_lead_to_are_refused(new_blob: bytes, name: str) -> None:
    """The same, where format 1 had nothing like it."""
    with pytest.raises(ModelFileError):
        FilterState.from_bytes(changed(new_blob, NEW[name]))


@both
@pytest.mark.filterwarnings("ignore:Reading .npy:UserWarning")
def test_a_flipped_bit_is_refused_or_does_nothing(blob: bytes) -> None:
    """An error of zipfile or numpy that ends the worker instead of learning anew."""
    whole, rng = KnownState.from_bytes(blob), random.Random(3)
    heads = [
        at + n for at in range(len(blob)) if blob.startswith(b"PK", at) for n in range(180) if at + n < len(blob)
    ]
    refused = 0
    for at in rng.sample(heads, 600):
        damaged = bytearray(blob)
        damaged[at] ^= 1 << rng.randrange(8)
        try:
            found = KnownState.from_bytes(bytes(damaged))
        except ModelFileError:
            refused += 1
            continue
        assert found.to_bytes() == whole.to_bytes()
    assert refused > 300


def test_a_match_of_the_past_takes_nobody_elses_form() -> None:
    """A match that began late, forecast once its player's session slot has been given to somebody else."""
    first = next(m for m in simulate(1)[0] if m.status is MatchStatus.FINAL)
    hour = dt.timedelta(hours=1)

    def game(n: int, after: dt.timedelta, a: str, b: str, score: int) -> Match:
        return dataclasses.replace(
            first, external_id=str(n), start=first.start + after, player_a=a, player_b=b, score_a=score, score_b=50
        )

    played = [game(n, n * hour / 2, "A", "B", 55) for n in range(3)]
    later = [game(9, 6 * hour, "C", "D", 150)]
    [past] = [game(5, 4 * hour, "A", "B", 0)]
    state = state_after(BUILT_IN, [*played, *later])
    [one] = state.parts([past])
    slots = state.arrays.slots[:, arrays.SLOT_POS]
    assert state.arrays.players[:2, arrays.SLOT].tolist() == [arrays.NEVER] * 2
    assert not set(one.where.tolist()) & set(slots[slots != arrays.NEVER].tolist())
    assert one.own[0, -2:].tolist() == [BUILT_IN.margin.v_session] * 2
