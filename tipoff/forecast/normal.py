"""The standard normal distribution from the standard library, so that light processes need no scipy."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROOT_HALF = math.sqrt(0.5)
_STANDARD = NormalDist()


def ndtr(x: ArrayLike) -> NDArray[np.float64]:
    """P(Z <= x), element by element, exact in both tails (the complementary error function of the C library)."""
    values = np.asarray(x, dtype=np.float64)
    flat = np.fromiter(map(math.erfc, (values * -_ROOT_HALF).ravel().tolist()), np.float64, values.size)
    return 0.5 * flat.reshape(values.shape)


def ndtri(p: float) -> float:
    """The z with P(Z <= z) = p, for 0 < p < 1."""
    return _STANDARD.inv_cdf(p)
