"""On leagues whose truth has one addition the model with it is better; on a league without any it does no harm."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.additions import Truth, simulate
from tipoff.forecast.additions import ADDITIONS
from tipoff.forecast.bootstrap import Estimate, day_block_mean
from tipoff.forecast.forecaster import F64, Forecasts
from tipoff.forecast.gaussian import GaussianFilter
from tipoff.forecast.metrics import score
from tipoff.forecast.params import MARGIN, TOTAL, FilterParams, Params
from tipoff.forecast.table import MatchTable

DAYS = 60
GRADED_FROM = 11
"""day; until then hardly anything is known, and nobody is new"""
PLAIN = Truth()
PLAINS = {"newcomers": Truth(v_link=(MARGIN.v_link, TOTAL.v_link))}
"""truths without the addition that are not PLAIN: the built-in `v_late` belongs to the built-in `v_link`"""
STATES = (
    "v0", "q", "v_session", "v_team", "q_team", "r", "v_link", "v_player_team", "v_pair", "v_player_team_session",
    "v_stream",
)  # fmt: skip
LINKS = (0.5, 1.0, 3.0, 10.0)
"""of the truth's: where it may stand in for the addition, the plain model gets the best of them in hindsight"""
NO_HARM = {"log_loss": 0.001, "margin_crps": 0.02, "total_crps": 0.016}
"""nats and points below which the interval's upper end lies; a match costs about 0.58, 5.1 and 6.5"""

Values = dict[str, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A truth with an addition, its size in the filter's own terms, and which forecasts it must improve."""

    truth: Truth
    margin: Values
    total: Values
    better: tuple[str, ...] = ("margin", "total")
    newcomers: int = 1
    links: tuple[float, ...] = (1.0,)
    days: int = DAYS
    graded_from: int = GRADED_FROM
    fewest: int = 10**6
    """graded are matches of which one player has fewer known results"""


CASES = {
    "newcomers": Case(
        Truth(v_link=(6.0, 6.0), v_late=(60.0, 60.0)), {"v_late": 60.0}, {"v_late": 60.0}, newcomers=3, links=LINKS,
        days=45, graded_from=0,
    ),
    # whom the league lets wait it brings together with somebody in the end: a meeting says less than `v_meeting`
    "first-meeting": Case(
        Truth(v0=(50.0, 50.0), v_link=(17.0, 17.0), v_meeting=(20.0, 20.0)), {"v_meeting": 150.0},
        {"v_meeting": 150.0}, newcomers=6, links=LINKS[:3],
    ),
    "margin-scale": Case(Truth(v_margin_scale=0.06), {"v_scale": 0.06}, {}, ("margin",)),
    "noise": Case(
        Truth(c_level=(0.012, 0.014), c_position=(0.04, 0.02)), {"c_level": 0.012, "c_position": 0.04},
        {"c_level": 0.014, "c_position": 0.02},
    ),
    "session-growth": Case(
        Truth(v_session=(1.0, 1.0), q_session=40.0), {}, {"q_session": 40.0}, ("total",), days=120
    ),
    "regressors": Case(Truth(regressors=(-2.0, 1.0, 1.0, 1.0, -1.0)), {}, {"v_regressor": 1.0}, ("total",), days=120),
    "total-scale": Case(Truth(v_total_scale=0.03), {}, {"v_scale": 0.03}, ("total",)),
    # it is for a variance of newcomers that is wrong: the model without `newcomers` has that of the unseen for them
    "newcomer-doubt": Case(
        Truth(v_link=(12.0, 10.0), v_late=(45.0, 10.0), t_late=0.5), {"t_late": 0.5}, {}, ("margin",), newcomers=3,
        fewest=20,
    ),
}  # fmt: skip


def params(truth: Truth, margin: Values, total: Values, *additions: str, link: float = 1.0) -> Params:
    """The truth's own values in the filter's terms; the link's variance `link` times as large."""

    def one(f: int, built_in: FilterParams, sizes: Values) -> FilterParams:
        states = {name: getattr(truth, name)[f] for name in STATES}
        states["v_link"] *= link
        return dataclasses.replace(built_in, **states, q_base=1e-9, m_base=truth.base[f], **sizes)

    return Params(one(0, MARGIN, margin), one(1, TOTAL, total), additions=additions)


def walk(params: Params, table: MatchTable) -> Forecasts:
    """What the filter with these values forecasts."""
    return GaussianFilter(params).fit(table).walk(table, 2)


def log_scores(params: Params, table: MatchTable) -> dict[str, F64]:
    """The negative log likelihood of each margin and total under its forecast, in nats."""
    made = walk(params, table)
    forecasts = {"margin": (made.margin_mean, made.margin_sd), "total": (made.total_mean, made.total_sd)}
    return {
        side: np.log(sd) + 0.5 * ((y - mean) / sd) ** 2
        for y, (side, (mean, sd)) in zip(table.observed, forecasts.items(), strict=True)
    }


def paired(
    one: F64, other: F64, table: MatchTable, graded_from: int = GRADED_FROM, which: NDArray[np.bool_] | None = None
) -> Estimate:
    """Mean of one less other from that day on, over all matches or `which` (n,), with its interval."""
    days = table.start // 1440 - table.start[0] // 1440
    graded = (days >= graded_from) & (True if which is None else which)
    return day_block_mean((one - other)[graded], days[graded])


def told(name: str, what: str, difference: Estimate) -> str:
    """A line for whoever reads along."""
    return f"\n{name}, {what}: {difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def test_every_addition_has_a_truth() -> None:
    """An addition that was never tried."""
    assert list(CASES) == list(ADDITIONS)


@pytest.mark.parametrize("name", CASES)
def test_an_addition_that_is_true_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An addition that does nothing, or something else than it says."""
    case = CASES[name]
    table = simulate(case.truth, case.days, seed=1, newcomers=case.newcomers)
    wanted = params(case.truth, case.margin, case.total, name)
    having, which = log_scores(wanted, table), walk(wanted, table).played < case.fewest
    for side in case.better:
        lacking = [
            log_scores(params(case.truth, case.margin, case.total, link=link), table)[side] for link in case.links
        ]
        difference = paired(having[side], min(lacking, key=np.mean), table, case.graded_from, which)
        with capsys.disabled():
            print(told(name, f"log score of the {side}", difference), end="")
        assert difference.high < 0


@pytest.fixture(scope="module")
def plain() -> MatchTable:
    """A league without any of them."""
    return simulate(PLAIN, DAYS, seed=1)


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_that_is_not_true_does_no_harm(
    name: str, plain: MatchTable, capsys: pytest.CaptureFixture[str]
) -> None:
    """An addition that believes in itself: it has its built-in size here, which no fit has made smaller."""
    truth = PLAINS.get(name, PLAIN)
    table = simulate(truth, DAYS, seed=1) if name in PLAINS else plain
    margin = {one: getattr(MARGIN, one) for one in ADDITIONS[name].margin}
    total = {one: getattr(TOTAL, one) for one in ADDITIONS[name].total}
    having, lacking = (
        score(walk(params(truth, margin, total, *chosen), table), *table.observed) for chosen in ([name], [])
    )
    for measure, most in NO_HARM.items():
        difference = paired(getattr(having, measure), getattr(lacking, measure), table)
        with capsys.disabled():
            print(told(f"without {name}", measure, difference), end="")
        assert difference.high < most
