"""How every kernel is compiled: kept on disk, IEEE arithmetic in the order that is written.

`contracted` lets a product and a sum be rounded once instead of twice, which is quicker and no less exact.
"""

from __future__ import annotations

from typing import Any

from numba import njit

jit: Any = njit(cache=True, error_model="numpy")
contracted: Any = njit(cache=True, error_model="numpy", fastmath={"contract"})
