"""This machine: settings, disk, memory."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from tipoff.doctor.line import Level, Line, judged, ok
from tipoff.errors import SettingsError
from tipoff.health.machine import Gauge
from tipoff.health.settings import PREFIX, HealthSettings, read_health_settings
from tipoff.refusals.every import doubts, faults
from tipoff.refusals.given import Fault, Role
from tipoff.settings import Settings, names_of

LEAST_GB, NONE_GB = 1.0, 0.2
"""free disk that is little, and too little"""
LEAST_MB = 480
"""memory in which a web process, a worker and a training fit"""


def settings_lines(settings: Settings, unread: list[Fault], environment: Mapping[str, str]) -> Iterator[Line]:
    """What keeps a web process or a worker from starting, and what is doubtful; `unread` could not be read."""
    wrong = [*unread]
    for role in (Role.WEB, Role.WORKER):
        wrong += [fault for fault in faults(settings, environment, role) if fault not in wrong]
    try:
        read_health_settings()
    except SettingsError as error:
        wrong += [Fault("TIPOFF_HEALTH_*", sentence, "see docs/settings.md") for sentence in error.faults]
    questionable = [*doubts(settings, environment), *misspelt(environment)]
    for fault in wrong:
        yield Line("settings", Level.ERROR, f"{fault.setting} {fault.wrong}", fault.mend)
    for fault in questionable:
        yield Line("settings", Level.WARN, f"{fault.setting} {fault.wrong}", fault.mend)
    if not wrong and not questionable:
        yield ok("settings", f"{len(known() & set(environment))} are given, and none is wrong or doubtful")


def known() -> set[str]:
    """Every name that is read."""
    ours = {name for field in Settings.model_fields.values() for name in names_of(field)}
    return ours | {f"{PREFIX}{name}".upper() for name in HealthSettings.model_fields}


def misspelt(environment: Mapping[str, str]) -> Iterator[Fault]:
    """Names that look like ours and that nobody reads."""
    for name in sorted(environment):
        near = difflib.get_close_matches(name, known(), 1, 0.85)
        ours = name.startswith("TIPOFF_") or (near and name.startswith("SUPABASE_"))
        if ours and name not in known():
            yield Fault(name, "is read by nobody", f"did you mean {near[0]}?" if near else "take it away")


def machine(settings: Settings) -> Line:
    """Disk of the data directory, and memory within the container's limit."""
    found = Gauge(settings.home).look()
    limit = found.memory_used_mb + found.memory_available_mb
    seen = (
        f"{found.disk_free_gb:.1f} GB of disk are free, {found.memory_available_mb:,.0f} of {limit:,.0f} MB of memory"
    )
    return judged(
        "machine", seen, warn=found.disk_free_gb < LEAST_GB or limit < LEAST_MB, error=found.disk_free_gb < NONE_GB,
        mend=f"give it at least {LEAST_MB} MB of memory and {LEAST_GB:g} GB of disk",
    )  # fmt: skip
