"""What a viewer chose: theme, odds format, time zone. Cookies that the server reads, so that nothing flickers."""

from __future__ import annotations

import dataclasses
import functools
import zoneinfo
from collections.abc import Mapping

from tipoff.api.forecasts import OddsFormat

THEMES = ("auto", "light", "dark")
ODDS = tuple(form.value for form in OddsFormat)
NAMES = ("theme", "odds", "zone")
LASTS = 400 * 86400
"""seconds; browsers keep no cookie for longer"""


@dataclasses.dataclass(frozen=True, slots=True)
class Preferences:
    """Each has a default where the cookie is missing or holds something else."""

    theme: str = "auto"
    odds: str = "decimal"
    zone: str = "UTC"

    @property
    def tz(self) -> zoneinfo.ZoneInfo:
        """The time zone in which times are shown."""
        return zoneinfo.ZoneInfo(self.zone)


def preferences(cookies: Mapping[str, str]) -> Preferences:
    """What the cookies of a request say."""
    return Preferences(
        cookies.get("theme", "") if cookies.get("theme") in THEMES else "auto",
        cookies.get("odds", "") if cookies.get("odds") in ODDS else "decimal",
        cookies.get("zone", "") if is_zone(cookies.get("zone", "")) else "UTC",
    )


@functools.cache
def zones() -> frozenset[str]:
    """Names of all time zones known here."""
    return frozenset(zoneinfo.available_timezones())


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    return name in zones()


def is_valid(name: str, value: str) -> bool:
    """Whether that preference may have that value."""
    return {"theme": value in THEMES, "odds": value in ODDS, "zone": is_zone(value)}.get(name, False)
