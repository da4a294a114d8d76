"""Whether the kernels are compiled already, and a process of its own that does it: compiling takes 100 MB more.

Light: nothing here imports numba.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import platformdirs

KERNELS = Path(__file__).parent / "kernels"


def cache_folder() -> Path:
    """Where compiled code of exactly these sources is kept."""
    sources = sorted(KERNELS.glob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    base = os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("tipoff")
    return Path(base) / f"kernels-{digest}"


def note_compiled() -> None:
    """Say that everything is compiled for this machine."""
    (cache_folder() / _mark()).touch()


def compile_first(patience: float) -> None:
    """Return once the kernels are compiled: at once where they are, else after a process that compiles them.

    Of several processes one compiles and the others wait. Where the folder cannot be written nothing is done, and
    whoever calls a kernel compiles it for itself. Raises subprocess.SubprocessError where compiling fails.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError:
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _mark()).exists():
            subprocess.run(
                [sys.executable, "-m", "tipoff.forecast.warm"], check=True, timeout=patience, env=_environment()
            )


def _environment() -> dict[str, str]:
    """Nothing secret."""
    kept = ("PATH", "HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _mark() -> str:
    """Compiled code is for one processor and one numba."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    about = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    text = "\n".join([importlib.metadata.version("numba"), platform.machine(), sys.version, *sorted(set(about))])
    return f"compiled-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
