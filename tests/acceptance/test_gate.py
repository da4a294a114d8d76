"""The gate on a simulated league: nothing damaged passes, nothing good is shut out for ever."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Callable

import numpy as np
import pytest

from tests.simulated import simulate
from tipoff.domain.match import Match
from tipoff.forecast.fit import fit_params
from tipoff.forecast.gate import judge
from tipoff.forecast.model import Model, fingerprint
from tipoff.forecast.params import BUILT_IN, FilterParams, Params
from tipoff.forecast.state import state_after
from tipoff.forecast.table import build_table

DAYS = 34
FIT_UNTIL = dt.date(2026, 3, 15)


@pytest.fixture(scope="module")
def known() -> list[Match]:
    """Results of a simulated league."""
    return simulate(DAYS)[0]


def made(known: list[Match], params: Params = BUILT_IN, *, until: dt.date = FIT_UNTIL, days: int = 14) -> Model:
    """A challenger that says it was fitted on `days` days until `until`, with an honest fingerprint and state."""
    first = until - dt.timedelta(days=days)
    fitted = [m for m in known if first < m.start.date() <= until]
    fit = {"fitted_from": first.isoformat(), "fitted_until": until.isoformat()}
    return Model(
        params, "2026-04-04T00:00:00+00:00", fit, fingerprint(build_table(fitted)), {}, state_after(params, known)
    )


def both(**values: float) -> Params:
    """The built-in values with these in both filters."""
    return Params(dataclasses.replace(BUILT_IN.margin, **values), dataclasses.replace(BUILT_IN.total, **values))


def margin(**values: float) -> Params:
    """The built-in values with these in the margin's filter."""
    return dataclasses.replace(BUILT_IN, margin=dataclasses.replace(BUILT_IN.margin, **values))


def total(**values: float) -> Params:
    """The built-in values with these in the total's filter."""
    return dataclasses.replace(BUILT_IN, total=dataclasses.replace(BUILT_IN.total, **values))


def shuffled(known: list[Match]) -> list[Match]:
    """The same matches with other matches' results, some with sides exchanged."""
    rng = random.Random(4)
    scores = [(m.score_a, m.score_b) if rng.random() < 0.5 else (m.score_b, m.score_a) for m in known]
    rng.shuffle(scores)
    return [dataclasses.replace(m, score_a=a, score_b=b) for m, (a, b) in zip(known, scores, strict=True)]


def negated(known: list[Match]) -> list[Match]:
    """Every result the other way round."""
    return [dataclasses.replace(m, score_a=m.score_b, score_b=m.score_a) for m in known]


def fit_on_shuffled(known: list[Match]) -> Model:
    """Really fitted, on labels that mean nothing; then shown with honest papers."""
    params, _ = fit_params(build_table([m for m in shuffled(known) if m.start.date() <= FIT_UNTIL]))
    return made(known, params)


def of_nothing(known: list[Match]) -> Model:
    """A challenger without papers."""
    return dataclasses.replace(made(known), fit={}, data={})


STATE = "state: its forecasts differ"
DAMAGED: dict[str, tuple[Callable[[list[Match]], Model], str]] = {
    "fitted on shuffled labels": (fit_on_shuffled, "not worse"),
    "fingerprint of shuffled labels": (
        lambda k: dataclasses.replace(made(k), data=made(shuffled(k)).data), "data: its fingerprint"),
    "state learned from shuffled labels": (
        lambda k: dataclasses.replace(made(k), state=state_after(BUILT_IN, shuffled(k))), STATE),
    "wrong sign": (
        lambda k: dataclasses.replace(made(k), state=state_after(BUILT_IN, negated(k))), STATE),
    "NaN": (lambda k: made(k, margin(q=float("nan"))), "parameters"),
    "infinite": (lambda k: dataclasses.replace(made(k), params=total(r=float("inf"))), "parameters"),
    "negative variance": (lambda k: dataclasses.replace(made(k), params=margin(v_team=-1.0)), "parameters"),
    "no noise": (lambda k: dataclasses.replace(made(k), params=margin(r=0.0)), "parameters"),
    "one day of data": (lambda k: made(k, days=1), "data: fitted on"),
    "stale": (lambda k: made(k, until=dt.date(2026, 2, 10)), "fresh"),
    "another sport": (lambda k: made(k, total(m_base=220.0, r=400.0, q_base=0.0, v_base=0.01)), "not worse in total"),
    "fitted on the days it is judged on": (
        lambda k: made(k, until=dt.date(2026, 4, 3), days=30), "enough to compare"),
    "no papers": (of_nothing, "data: it does not say"),
    "state behind": (
        lambda k: dataclasses.replace(made(k), state=state_after(BUILT_IN, k[:-300])), "state: its state has"),
    "state of other parameters": (
        lambda k: dataclasses.replace(made(k), state=state_after(margin(q=2.0), k)), STATE),
    "ten times the noise": (lambda k: made(k, both(r=900.0)), "coverage"),
    "a tenth of the noise": (lambda k: made(k, both(r=8.0)), "coverage"),
    "forgets everything": (lambda k: made(k, margin(q=60.0)), "not worse"),
    "knows no players": (
        lambda k: made(k, both(v0=1e-9, v_link=1e-9, q=1e-9, v_pair=1e-9, v_player_team=1e-9)), "not worse"),
    "knows no teams": (
        lambda k: made(k, both(v_team=1e-9, v_player_team=1e-9, v_player_team_session=1e-9)), "not worse"),
    "side A favoured": (lambda k: made(k, margin(m_base=4.0, v_base=1e-9, q_base=0.0)), "sides"),
    "clipped to nothing": (lambda k: made(k, both(clip=0.01)), "not worse"),
    "total broken alone": (lambda k: made(k, total(q=90.0)), "not worse in total"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_challenger_is_refused(known: list[Match], kind: str) -> None:
    """A model that forecasts for the public because somebody called it a model."""
    build, said = DAMAGED[kind]
    verdict = judge(build(known), BUILT_IN, known)
    assert not verdict.passed
    assert said in verdict.reason, verdict.reason


@pytest.mark.parametrize("kind", ["another sport", "ten times the noise", "clipped to nothing"])
def test_the_first_model_is_judged_too(known: list[Match], kind: str) -> None:
    """A first champion that is worse than saying nothing.

    One fitted on shuffled labels is not: the priors hold its values, and it has learned from true ones. It loses to
    a champion.
    """
    assert not judge(DAMAGED[kind][0](known), None, known).passed
    assert judge(made(known), None, known).passed


def test_most_equally_good_challengers_pass(known: list[Match], capsys: pytest.CaptureFixture[str]) -> None:
    """A gate so narrow that nothing is ever replaced: fifty that differ by chance alone."""
    rng = np.random.default_rng(8)
    names = [f.name for f in dataclasses.fields(FilterParams) if f.name not in ("m_base", "clip")]

    def near(params: FilterParams) -> FilterParams:
        factors = np.exp(rng.normal(0, 0.08, len(names)))
        return dataclasses.replace(
            params, **{n: getattr(params, n) * float(f) for n, f in zip(names, factors, strict=True)}
        )

    verdicts = [
        judge(made(known, Params(near(BUILT_IN.margin), near(BUILT_IN.total))), BUILT_IN, known) for _ in range(50)
    ]
    share = sum(v.passed for v in verdicts) / len(verdicts)
    with capsys.disabled():
        print(f"\n{share:.0%} of 50 equally good challengers passed")
    assert share >= 0.8


def test_a_truly_better_challenger_passes(known: list[Match]) -> None:
    """A champion that knows no teams is replaced by one that does; and not the other way round."""
    worse = both(v_team=1e-9, v_player_team=1e-9, v_player_team_session=1e-9)
    verdict = judge(made(known), worse, known)
    assert verdict.passed, verdict.reason
    assert verdict.differences["log_loss"].high < 0
    assert not judge(made(known, worse), BUILT_IN, known).passed


def test_too_few_matches_prove_nothing(known: list[Match]) -> None:
    """A champion by luck over an afternoon."""
    few = [m for m in known if m.start.date() <= FIT_UNTIL][:4000]
    few += [m for m in known if m.start.date() > FIT_UNTIL][:150]
    verdict = judge(made(few), BUILT_IN, few)
    assert not verdict.passed
    assert "150 results" in verdict.reason


def test_no_proof_is_no_pass(known: list[Match]) -> None:
    """A worse model let through because few matches could not show that it is worse."""
    some = [m for m in known if m.start.date() <= FIT_UNTIL]
    some += [m for m in known if m.start.date() > FIT_UNTIL][:600]
    worse = both(v_player_team=1e-9, v_player_team_session=1e-9)
    verdict = judge(made(some, worse), BUILT_IN, some)
    difference = verdict.differences["log_loss"]
    assert difference.low < 0.002 < difference.high
    assert not next(c for c in verdict.checks if c.name == "not worse in log loss").passed
    assert not verdict.passed
