"""The check `resources`: the machine of each live process, or its container within its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tipoff.health.report import Checked, Finding
from tipoff.health.rules import beyond, error
from tipoff.health.settings import HealthSettings

WORDS = {
    "cpu_high": ("cpu_percent", "the processor is {value:.0f} % busy"),
    "memory_high": ("memory_percent", "{value:.0f} % of the memory is in use"),
    "disk_low": ("disk_percent", "the disk is {value:.0f} % full"),
}  # fmt: skip
TOLD = (
    "cpu_percent", "memory_percent", "memory_used_mb", "memory_available_mb", "disk_percent", "disk_free_gb",
    "process_mb",
)  # fmt: skip


def resources(processes: Sequence[Mapping[str, Any]], limits: HealthSettings) -> Checked:
    """`processes` said how their machines are; the last is the one that looks; a host is told of once."""
    found: list[Finding] = []
    for host, figures in {str(one["host"]): one for one in processes}.items():
        if "error" in figures:
            rule, about = ("check_hung", "resources") if figures.get("hung") else ("disk_low", host)
            found.append(error(rule, f"the machine {host} cannot be looked at: {figures['error']}", about))
        for rule, (name, said) in WORDS.items():
            value = figures.get(name)
            if isinstance(value, int | float):
                found += beyond(rule, value, limits.pair(name), f"{said.format(value=value)} on {host}", host)
    mine = processes[-1]
    return Checked(
        ", ".join(f"{name.removesuffix('_percent')} {mine.get(name) or 0:.0f} %" for name, _ in WORDS.values()),
        tuple(found),
        {**{name: mine.get(name) for name in TOLD}, "machines": len({one["host"] for one in processes})},
        looked="error" not in mine,
    )
