"""The filter: equal to textbook algebra, one state whatever the path, files that can be trusted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random

import numpy as np
import pytest

from tests.simulated import simulate, with_newcomers
from tipoff.errors import InputError, ModelFileError
from tipoff.forecast.explain import explain
from tipoff.forecast.fit import fit_params
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.model import Model, ModelFiles, read_model
from tipoff.forecast.params import BUILT_IN, FilterParams, params_from_dict
from tipoff.forecast.state import FilterState, state_after
from tipoff.forecast.table import build_table, in_order


def test_two_players_by_hand() -> None:
    """A gain or a variance that is off by a term."""
    zero = {field.name: 0.0 for field in dataclasses.fields(FilterParams)}
    margin = FilterParams(**{**zero, "v0": 100.0, "v_link": 20.0, "r": 70.0, "clip": 9.0})
    params = dataclasses.replace(BUILT_IN, margin=margin)
    first = simulate(1)[0][0]
    match = dataclasses.replace(first, score_a=60, score_b=50)
    state = FilterState.fresh(params)
    before = state.forecast([match])[0]
    assert before.margin_mean == 0
    assert before.margin_sd**2 == pytest.approx(20 + 70)
    state.learn([match])
    after = state.forecast([match])[0]
    assert after.margin_mean == pytest.approx(10 * 20 / 90)
    assert after.margin_sd**2 == pytest.approx(70 + 20 - 20 * 20 / 90)


def test_learning_in_pieces_is_learning_at_once() -> None:
    """Live numbers that differ from a replay."""
    matches = in_order(simulate(6)[0])
    once = state_after(BUILT_IN, matches)
    pieces = FilterState.fresh(BUILT_IN)
    rng, done = random.Random(1), 0
    while done < len(matches):
        step = rng.randint(1, 60)
        pieces = FilterState.from_bytes(pieces.to_bytes())
        pieces.learn(matches[done : done + step])
        done += step
    assert [dataclasses.astuple(d) for d in pieces.forecast(matches[-50:])] == [
        dataclasses.astuple(d) for d in once.forecast(matches[-50:])
    ]


@pytest.mark.parametrize("additions", [BUILT_IN.additions, ()], ids=["all additions", "none"])
def test_live_is_the_walk(additions: tuple[str, ...]) -> None:
    """Live forecasts, one match at a time in numpy, that are not those of the backtest."""
    rng, matches = random.Random(5), with_newcomers(in_order(simulate(14)[0])[-500:])
    for i in rng.sample(range(len(matches)), 120):
        changes: dict[str, str | None] = rng.choice(
            [{"team_a": None}, {"team_b": None, "stream": None}, {"player_a": f"NEW {i}"}, {"team_b": f"New {i}"},
             {"player_a": f"NEW {i}", "player_b": f"NEWER {i}"}]
        )  # fmt: skip
        matches[i] = dataclasses.replace(matches[i], **changes)  # type: ignore[arg-type]
    params = dataclasses.replace(
        BUILT_IN, additions=additions, margin=dataclasses.replace(BUILT_IN.margin, q_session=4.0, v_regressor=0.5),
    )  # fmt: skip
    walked = GaussianFilter(params).fit(build_table([])).walk(build_table(matches), 2)
    state, known = FilterState.fresh(params), 0
    for i, match in enumerate(matches):
        knowable = sum(m.start <= match.start - dt.timedelta(minutes=32) for m in matches[known : known + 60])
        state.learn(matches[known : known + knowable])
        known += knowable
        [one] = state.forecast([match])
        made = [float(getattr(walked, field)[i]) for field in ("margin_mean", "margin_sd", "total_mean", "total_sd")]
        assert list(dataclasses.astuple(one)) == pytest.approx(made, abs=1e-9), match
        [reasons] = explain(state, [match])
        assert [reasons.margin_mean, reasons.total_mean] == pytest.approx([one.margin_mean, one.total_mean], abs=1e-9)


def test_forecasting_leaves_the_state_alone() -> None:
    """A forecast that teaches the filter something."""
    matches = in_order(simulate(4)[0])
    state = state_after(BUILT_IN, matches[:500])
    before = state.to_bytes()
    state.forecast(matches[500:])
    assert state.to_bytes() == before


def test_what_sorts_earlier_is_refused() -> None:
    """A late result learned out of order without anybody noticing."""
    matches = in_order(simulate(2)[0])
    state = state_after(BUILT_IN, matches[100:])
    with pytest.raises(ValueError, match="learn from the beginning"):
        state.learn(matches[:1])


def test_the_covariance_stays_a_covariance() -> None:
    """Rounding that makes a variance negative after thousands of updates."""
    state = state_after(BUILT_IN, simulate(40)[0])
    n = int(state.arrays.counters[0])
    for f in range(2):
        assert np.linalg.eigvalsh(state.covariances()[f][:n, :n]).min() > -1e-8


def test_a_window_too_small_to_fit_is_refused() -> None:
    """Hyper-parameters fitted on noise."""
    with pytest.raises(InputError, match="too few"):
        fit_params(build_table(simulate(1)[0][:50]))


@pytest.fixture(scope="module")
def saved() -> ModelFiles:
    """A model as it is stored."""
    return Model(BUILT_IN, "2026-07-01T00:00:00+00:00", {}, {}, {}, state_after(BUILT_IN, simulate(2)[0])).files()


def test_a_model_comes_back_as_it_was(saved: ModelFiles) -> None:
    """A value lost on the way to the store."""
    model = read_model(saved.text, lambda _: saved.blob)
    assert model.params == BUILT_IN
    assert model.files() == saved


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"not json", "not JSON"),
        (b"[]", "not a model"),
        (b'{"kind": "tipoff-gaussian-filter", "format": 99}', "another format"),
    ],
)
def test_a_foreign_document_is_refused(text: bytes, message: str) -> None:
    """A model of something else that forecasts."""
    with pytest.raises(ModelFileError, match=message):
        read_model(text, lambda _: b"")


def test_a_damaged_state_is_refused(saved: ModelFiles) -> None:
    """A damaged model that forecasts."""
    with pytest.raises(ModelFileError, match="not a filter state"):
        read_model(saved.text, lambda _: saved.blob[: len(saved.blob) // 2])


@pytest.mark.parametrize("blob", [b"", b"PK\x03\x04", b"hello", b"\x93NUMPY" + b"\x00" * 50])
def test_a_foreign_file_is_refused(blob: bytes) -> None:
    """A crash, or worse a pickle, instead of an error."""
    with pytest.raises(ModelFileError):
        FilterState.from_bytes(blob)


@pytest.mark.parametrize("change", [{"r": 0.0}, {"q": -1.0}, {"v0": float("nan")}, {"v0": "1"}, {"v0": True}])
def test_unusable_hyper_parameters_are_refused(change: dict[str, object]) -> None:
    """A negative variance that comes out of a file."""
    document = dataclasses.asdict(BUILT_IN)
    document["margin"].update(change)
    with pytest.raises(ModelFileError, match="not a usable number"):
        params_from_dict(document)
