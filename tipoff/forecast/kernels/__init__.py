"""The compiled inner loops (numba); only `tipoff.forecast` imports them, so they stay out of light processes.

Numba's cache notices a change in a function's own file but not in the file of a function it calls, so
compiled code is kept in a folder named after a hash of all kernel sources.
"""

from __future__ import annotations

import numba

from tipoff.forecast.compiled import cache_folder

vars(numba.config)["CACHE_DIR"] = str(cache_folder())
