"""The check `resources`: this machine, or the container within its limits; and those of live workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tipoff.health.machine import Machine
from tipoff.health.report import Checked, Finding
from tipoff.health.rules import beyond
from tipoff.health.settings import HealthSettings

NAMES = {"cpu_high": "cpu_percent", "memory_high": "memory_percent", "disk_low": "disk_percent"}
WORDS = {
    "cpu_high": "the processor is {value:.0f} % busy", "memory_high": "{value:.0f} % of the memory is in use",
    "disk_low": "the disk is {value:.0f} % full",
}  # fmt: skip


def resources(machine: Machine, workers: Sequence[Mapping[str, Any]], limits: HealthSettings) -> Checked:
    """`workers` said the same of their machines; those on this host are counted once."""
    mine = machine.as_json()
    found = _of("", mine, limits)
    told = {str(one.get("host", "")): one for one in workers if one.get("host") != machine.host}
    for host, figures in told.items():
        found += _of(host, figures, limits)
    return Checked(
        f"processor {machine.cpu_percent:.0f} %, memory {machine.memory_percent:.0f} %, "
        f"disk {machine.disk_percent:.0f} %",
        tuple(found), {**mine, "worker_machines": len(told)},
    )  # fmt: skip


def _of(host: str, figures: Mapping[str, Any], limits: HealthSettings) -> list[Finding]:
    found: list[Finding] = []
    for rule, name in NAMES.items():
        value = figures.get(name)
        if isinstance(value, int | float):
            said = WORDS[rule].format(value=value) + (f" on {host}" if host else "")
            found += beyond(rule, value, limits.pair(name), said, host)
    return found
