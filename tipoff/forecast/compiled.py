"""Whether the kernels are compiled already, and a process of its own that does it: compiling takes 100 MB more.

Light: nothing here imports numba.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs

HERE = Path(__file__).parent
COMMAND = (sys.executable, "-m", "tipoff.forecast.warm")


def cache_folder() -> Path:
    """Where compiled code of exactly these sources is kept."""
    sources = [*sorted((HERE / "kernels").glob("*.py")), HERE / "arrays.py", HERE / "columns.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    base = os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("tipoff")
    return Path(base) / f"kernels-{digest}"


def is_compiled() -> bool:
    """Whether everything is compiled for this machine; also where nothing could be kept, so that nobody tries."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return True
    return (folder / _mark()).exists() or not os.access(folder, os.W_OK)


def note_compiled() -> None:
    """Say that everything is compiled for this machine."""
    (cache_folder() / _mark()).touch()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Of several processes one compiles, and the others wait."""
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def environment() -> dict[str, str]:
    """What the process that compiles is told: nothing secret."""
    kept = ("PATH", "HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ}


def compile_first(patience: float) -> None:
    """Return once the kernels are compiled: at once where they are, else after a process that compiles them.

    Raises subprocess.SubprocessError where that fails or takes longer than `patience` seconds.
    """
    if not is_compiled():
        subprocess.run(COMMAND, check=True, timeout=patience, env=environment())


def _mark() -> str:
    """Compiled code is for one processor and one numba."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    about = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    text = "\n".join([importlib.metadata.version("numba"), platform.machine(), sys.version, *sorted(set(about))])
    return f"compiled-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
