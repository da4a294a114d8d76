"""From settings to the monitor of this process."""

from __future__ import annotations

import os
from collections.abc import Callable

from tipoff.clock import SystemClock
from tipoff.delivery.channels import channels
from tipoff.health.keeping import Hurry
from tipoff.health.monitor import Monitor
from tipoff.health.rescue import Rescue
from tipoff.health.settings import HealthSettings
from tipoff.pipeline.wiring import artifacts
from tipoff.settings import Settings
from tipoff.storage.database import address


def monitor_of(
    settings: Settings, limits: HealthSettings, waiting: Callable[[], int | None] = lambda: None,
    rescue: Rescue | None = None, hurry: Hurry = lambda _: None,
) -> Monitor:  # fmt: skip
    """A monitor that has not begun."""
    return Monitor(
        settings, limits, SystemClock(), lambda: address(settings), lambda: artifacts(settings),
        [channel.name for channel in channels(settings.alert_urls)], waiting, rescue, hurry,
    )  # fmt: skip


def rescue_of(settings: Settings) -> Rescue:
    """Who tells people when nobody else can, with the settings of this process."""
    given = {"TIPOFF_HOME": str(settings.home.resolve())}
    if settings.database_url is not None:
        given["DATABASE_URL"] = settings.database_url.get_secret_value()
    if settings.alert_urls is not None:
        given["TIPOFF_ALERT_URLS"] = settings.alert_urls.get_secret_value()
    return Rescue({**os.environ, **given}, channels=settings.alert_urls is not None)
