"""The ladder the filter is measured against, under the same interface."""

from __future__ import annotations

from tipoff.forecast.baselines.bradley_terry import BradleyTerry
from tipoff.forecast.baselines.constant import Constant
from tipoff.forecast.baselines.elo import Elo, EloMargin
from tipoff.forecast.forecaster import Forecaster

__all__ = ["BradleyTerry", "Constant", "Elo", "EloMargin", "ladder"]


def ladder() -> list[Forecaster]:
    """Every baseline, simplest first."""
    return [Constant(), Elo(), EloMargin(), BradleyTerry()]
