"""Hyper-parameters of the two filters, with the built-in values measured on the real league."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tipoff.errors import InputError, ModelFileError
from tipoff.forecast.additions import ADDITIONS, chosen


@dataclasses.dataclass(frozen=True, slots=True)
class FilterParams:
    """Variances in points squared, drifts in points squared a day, clip in standard deviations.

    `m_base` is the prior mean of the observed quantity, in points. The order of the fields is the order
    of the columns that the kernels read (`tipoff.forecast.columns`).
    """

    v0: float
    """player strength, first seen with nobody known"""
    q: float
    """drift of player strength"""
    v_session: float
    v_team: float
    q_team: float
    v_base: float
    q_base: float
    r: float
    """noise of one match"""
    clip: float
    v_link: float
    """difference of a new player from the opponent they are first paired with"""
    v_player_team: float
    v_pair: float
    v_player_team_session: float
    q_extras: float
    """drift of the small independent effects"""
    v_stream: float
    m_base: float
    v_late: float = 0.0
    """the link's variance for players first seen after the first days"""
    v_meeting: float = 0.0
    """variance with which a pair that meets first is taken for equally strong; 0 is not at all"""
    v_scale: float = 0.0
    """of what a player adds to the log-variance"""
    c_level: float = 0.0
    """log-variance a point of the forecast total"""
    c_position: float = 0.0
    """log-variance a match already played in the session"""
    q_session: float = 0.0
    """drift of form within a session"""
    v_regressor: float = 0.0
    """of each regressor's coefficient"""
    t_late: float = 0.0
    """standard deviation with which the logarithm of v_late is known; not fitted"""

    def as_array(self) -> NDArray[np.float64]:
        """The values as the kernels read them, shape (24,)."""
        return np.array(dataclasses.astuple(self), dtype=np.float64)

    @classmethod
    def from_dict(cls, values: object) -> FilterParams:
        """Read what `dataclasses.asdict` wrote, now or before there were additions; raises ModelFileError."""
        names = [field.name for field in dataclasses.fields(cls)]
        needed = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
        if not isinstance(values, dict) or not needed <= set(values) <= set(names):
            raise ModelFileError(f"hyper-parameters need exactly {', '.join(names)}")
        for name, value in values.items():
            ok = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
            if not ok or (name not in SIGNED and value < 0) or (name in ("r", "clip") and value == 0):
                raise ModelFileError(f"hyper-parameter {name} is {value!r}, not a usable number")
        return cls(**{name: float(value) for name, value in values.items()})


SIGNED = ("m_base", "c_level", "c_position")

MARGIN = FilterParams(
    v0=139.0, q=0.027, v_session=1.0, v_team=7.3, q_team=0.0019, v_base=0.025, q_base=0.0001, r=71.2,
    clip=5.3,
    v_link=22.5, v_player_team=1.51, v_pair=1.08, v_player_team_session=1.23, q_extras=0.001, v_stream=0.0,
    m_base=0.0, v_late=50.0, v_meeting=200.0, v_scale=0.03, c_level=0.006, c_position=0.02,
    t_late=0.5,
)  # fmt: skip
"""Built-in values of the margin's filter, found on real matches until 18 July 2026."""

TOTAL = FilterParams(
    v0=57.0, q=0.136, v_session=1.9, v_team=3.2, q_team=0.062, v_base=3.7, q_base=0.01, r=115.8, clip=3.5,
    v_link=31.6, v_player_team=2.68, v_pair=3.8, v_player_team_session=1.8, q_extras=0.001, v_stream=0.32,
    m_base=108.0, v_late=50.0, v_meeting=300.0, v_scale=0.01, c_level=0.007, c_position=0.01, q_session=10.0,
    v_regressor=1.0,
)  # fmt: skip
"""Built-in values of the total's filter, found on real matches until 18 July 2026."""


@dataclasses.dataclass(frozen=True, slots=True)
class Params:
    """Hyper-parameters of both filters, the minutes of gap that end a session, the additions in use."""

    margin: FilterParams = MARGIN
    total: FilterParams = TOTAL
    session_gap: int = 240
    additions: tuple[str, ...] = tuple(ADDITIONS)

    def as_array(self) -> NDArray[np.float64]:
        """Shape (2, 24), margin first; what belongs to an addition that is left out does nothing."""
        margin, total = self.idle()
        return np.stack([_off(self.margin, margin).as_array(), _off(self.total, total).as_array()])

    def idle(self) -> tuple[list[str], list[str]]:
        """Hyper-parameters of the margin's and the total's filter that belong to additions left out."""
        left_out = [addition for name, addition in ADDITIONS.items() if name not in self.additions]
        margin = [name for addition in left_out for name in addition.margin]
        return margin, [name for addition in left_out for name in addition.total]


def _off(params: FilterParams, names: list[str]) -> FilterParams:
    return dataclasses.replace(params, **{name: params.v_link if name == "v_late" else 0.0 for name in names})


def with_filter(params: Params, which: int, values: FilterParams) -> Params:
    """`params` with other hyper-parameters of filter `which` (0 margin, 1 total)."""
    return dataclasses.replace(params, margin=values) if which == 0 else dataclasses.replace(params, total=values)


BUILT_IN = Params()


def params_from_dict(values: object) -> Params:
    """Read what `dataclasses.asdict(Params)` wrote; raises ModelFileError on anything else.

    What was written before there were additions has none.
    """
    if not isinstance(values, Mapping) or not {"margin", "session_gap", "total"} <= set(values) <= _KEYS:
        raise ModelFileError("parameters need exactly margin, session_gap, total, additions")
    gap, additions = values["session_gap"], values.get("additions", [])
    if not isinstance(gap, int) or isinstance(gap, bool) or gap <= 0:
        raise ModelFileError(f"session_gap is {gap!r}, not a positive number of minutes")
    if not isinstance(additions, list | tuple):
        raise ModelFileError(f"additions is {additions!r}, not a list of names")
    try:
        names = chosen(additions)
    except InputError as error:
        raise ModelFileError(str(error)) from error
    return Params(FilterParams.from_dict(values["margin"]), FilterParams.from_dict(values["total"]), gap, names)


_KEYS = {"margin", "total", "session_gap", "additions"}
