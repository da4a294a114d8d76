"""What every process begins with: the settings, checked whole before anything connects."""

from __future__ import annotations

from tipoff.errors import SettingsError
from tipoff.health.settings import read_health_settings
from tipoff.reading import look_at_settings
from tipoff.refusals.given import Role
from tipoff.settings import Settings

REFUSED = 2
"""exit code of what does not start with these settings"""


def checked_settings(role: Role) -> Settings:
    """The settings; raises SettingsError with everything that is wrong, those of health included."""
    settings, found = look_at_settings(role)
    sentences = [str(fault) for fault in found]
    try:
        read_health_settings()
    except SettingsError as error:
        sentences += error.faults
    if sentences:
        raise SettingsError(sentences)
    return settings
