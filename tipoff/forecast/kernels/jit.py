"""How every kernel is compiled: kept on disk, IEEE arithmetic in the order that is written."""

from __future__ import annotations

from typing import Any

from numba import njit

jit: Any = njit(cache=True, error_model="numpy")
