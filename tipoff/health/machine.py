"""How full this machine is: by psutil, within the limits of the container's cgroup (v2 or v1) where it has any.

Sources: kernel documentation, admin-guide/cgroup-v2 (memory.max, memory.current, memory.stat, cpu.max, cpu.stat).
"""

from __future__ import annotations

import dataclasses
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil

MB, GB = 2**20, 2**30
CGROUP = Path("/sys/fs/cgroup")
SHORTEST = 0.3
"""seconds over which the processor is watched at least: less says only that this process itself works"""


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """Shares are percent of what this process may use; the disk is that of the data directory."""

    host: str
    cpu_percent: float
    memory_percent: float
    memory_used_mb: float
    memory_available_mb: float
    disk_percent: float
    disk_free_gb: float
    process_mb: float

    def as_json(self) -> dict[str, Any]:
        """Its figures."""
        values = dataclasses.asdict(self)
        del values["host"]
        return {name: round(value, 2) for name, value in values.items()}


class Gauge:
    """Looks at the machine; the processor's share is that since the look before."""

    def __init__(self, home: Path, cgroup: Path = CGROUP) -> None:
        self._home, self._cgroup = home, cgroup
        self._lock = threading.Lock()
        self._before = self._cpu()

    def look(self) -> Machine:
        """The machine now; raises OSError where the disk cannot be asked."""
        used, limit = self._memory()
        disk = psutil.disk_usage(str(_existing(self._home)))
        return Machine(
            socket.gethostname(), self._busy(), 100 * used / limit, used / MB, (limit - used) / MB, disk.percent,
            disk.free / GB, psutil.Process().memory_info().rss / MB,
        )  # fmt: skip

    def _memory(self) -> tuple[float, float]:
        """(bytes in use that cannot be given back, bytes there are)."""
        whole = psutil.virtual_memory()
        found = (float(whole.total - whole.available), float(whole.total))
        for current, most, stat in (
            ("memory.current", "memory.max", "memory.stat"),
            ("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes", "memory/memory.stat"),
        ):
            limit = _number(self._cgroup / most)
            if limit is not None and limit < whole.total:
                used = _number(self._cgroup / current) or 0.0
                return max(0.0, used - _field(self._cgroup / stat, "inactive_file")), limit
        return found

    def _cpu(self) -> tuple[float, float, float]:
        """(moment, seconds used, processors there are)."""
        text = _text(self._cgroup / "cpu.max")
        quota = text.split() if text else []
        if len(quota) == 2 and quota[0].isdigit():
            used = _field(self._cgroup / "cpu.stat", "usage_usec") / 1e6
            return time.monotonic(), used, int(quota[0]) / int(quota[1])
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        return time.monotonic(), sum(times[:8]) - idle, float(os.cpu_count() or 1)

    def _busy(self) -> float:
        with self._lock:
            time.sleep(max(0.0, self._before[0] + SHORTEST - time.monotonic()))
            before, self._before = self._before, self._cpu()
            seconds = max(1e-3, self._before[0] - before[0])
            return min(100.0, max(0.0, 100 * (self._before[1] - before[1]) / seconds / self._before[2]))


def _existing(path: Path) -> Path:
    """The folder, or the one above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _number(path: Path) -> float | None:
    text = (_text(path) or "").strip()
    return float(text) if text.isdigit() else None


def _field(path: Path, name: str) -> float:
    for line in (_text(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key in (name, f"total_{name}"):
            return float(value)
    return 0.0
