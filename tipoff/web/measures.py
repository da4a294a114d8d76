"""Figures of checks as people read them: what a name says of the unit."""

from __future__ import annotations

from collections.abc import Callable

from tipoff.web.words import MISSING, number, percent, span

_UNITS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("_seconds_ago", lambda v: f"{span(v)} ago"), ("_seconds", span), ("_minutes", lambda v: span(60 * v)),
    ("_days", lambda v: f"{number(v, 1)} d"), ("_percent", lambda v: f"{number(v)}%"),
    ("_share", lambda v: percent(v, 1)), ("_mb", lambda v: f"{number(v)} MB"),
    ("_gb", lambda v: f"{number(v, 1)} GB"), ("_ms", lambda v: f"{number(v, 1)} ms"),
)  # fmt: skip
_FINE = ("log_loss", "log_loss_promised", "calibration_error")
_NAMES = {
    "cpu_percent": "Processor", "database_mb": "Size of the database", "database_ms": "Answer of the database",
    "process_mb": "Memory of this process", "artifact_store_ms": "Written and read in", "disk_percent": "Disk in use",
    "memory_percent": "Memory in use", "sealed_share": "Sealed of those begun",
}  # fmt: skip


def measure(name: str, value: float | str | None) -> tuple[str, str]:
    """The name without its unit, and the value with it.

    >>> measure("fetched_seconds_ago", 90.0), measure("cpu_percent", 12.4), measure("log_loss", None)
    (('Fetched', '1 min 30 s ago'), ('Processor', '12%'), ('Log loss', '–'))
    """
    ending, show = next(((e, s) for e, s in _UNITS if name.endswith(e)), ("", number))
    said = _NAMES.get(name) or name.removesuffix(ending).replace("_", " ").capitalize()
    if value is None:
        return said, MISSING
    if isinstance(value, str):
        return said, value
    return said, number(value, 4) if name in _FINE else show(value)
