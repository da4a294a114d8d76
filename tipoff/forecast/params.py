"""Hyper-parameters of the two filters, with the built-in values measured on the real league."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tipoff.errors import ModelFileError


@dataclasses.dataclass(frozen=True, slots=True)
class FilterParams:
    """Variances in points squared, drifts in points squared a day, clip in standard deviations.

    `m_base` is the prior mean of the observed quantity, in points. The order of the fields is the order
    of the columns that the kernels read.
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

    def as_array(self) -> NDArray[np.float64]:
        """The values as the kernels read them, shape (16,)."""
        return np.array(dataclasses.astuple(self), dtype=np.float64)

    @classmethod
    def from_dict(cls, values: object) -> FilterParams:
        """Read what `dataclasses.asdict` wrote; raises ModelFileError on anything else."""
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise ModelFileError(f"hyper-parameters need exactly {', '.join(names)}")
        for name, value in values.items():
            ok = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
            if not ok or (name != "m_base" and value < 0) or (name in ("r", "clip") and value == 0):
                raise ModelFileError(f"hyper-parameter {name} is {value!r}, not a usable number")
        return cls(**{name: float(values[name]) for name in names})


MARGIN = FilterParams(
    v0=139.0, q=0.027, v_session=1.0, v_team=7.3, q_team=0.0019, v_base=0.025, q_base=0.0001, r=71.2,
    clip=5.3,
    v_link=22.5, v_player_team=1.51, v_pair=1.08, v_player_team_session=1.23, q_extras=0.001, v_stream=0.0,
    m_base=0.0,
)  # fmt: skip
"""Built-in values of the margin's filter, found on real matches until 18 July 2026."""

TOTAL = FilterParams(
    v0=57.0, q=0.136, v_session=1.9, v_team=3.2, q_team=0.062, v_base=3.7, q_base=0.01, r=115.8, clip=3.5,
    v_link=31.6, v_player_team=2.68, v_pair=3.8, v_player_team_session=1.8, q_extras=0.001, v_stream=0.32,
    m_base=108.0,
)  # fmt: skip
"""Built-in values of the total's filter, found on real matches until 18 July 2026."""


@dataclasses.dataclass(frozen=True, slots=True)
class Params:
    """Hyper-parameters of both filters and of the session rule (minutes of gap that end a session)."""

    margin: FilterParams = MARGIN
    total: FilterParams = TOTAL
    session_gap: int = 240

    def as_array(self) -> NDArray[np.float64]:
        """Shape (2, 16): margin first."""
        return np.stack([self.margin.as_array(), self.total.as_array()])


BUILT_IN = Params()


def params_from_dict(values: object) -> Params:
    """Read what `dataclasses.asdict(Params)` wrote; raises ModelFileError on anything else."""
    if not isinstance(values, dict) or sorted(values) != ["margin", "session_gap", "total"]:
        raise ModelFileError("parameters need exactly margin, session_gap, total")
    gap = values["session_gap"]
    if not isinstance(gap, int) or isinstance(gap, bool) or gap <= 0:
        raise ModelFileError(f"session_gap is {gap!r}, not a positive number of minutes")
    return Params(FilterParams.from_dict(values["margin"]), FilterParams.from_dict(values["total"]), gap)
