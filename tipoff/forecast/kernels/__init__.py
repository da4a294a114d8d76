"""The compiled inner loops (numba); only `tipoff.forecast` imports them, so they stay out of light processes.

Numba's cache notices a change in a function's own file but not in the file of a function it calls, so
compiled code is kept in a folder named after a hash of all kernel sources.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numba
import platformdirs


def _cache_folder() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    base = os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("tipoff")
    return str(Path(base) / f"kernels-{digest}")


vars(numba.config)["CACHE_DIR"] = _cache_folder()
