"""Thresholds of checks and manners of alerts; each is an environment variable TIPOFF_HEALTH_<NAME>."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tipoff.errors import SettingsError
from tipoff.reading import unreadable

QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: ([A-Za-z_+\-0-9/]+))?")
PREFIX = "TIPOFF_HEALTH_"
PAIRS = (
    "round_trip", "connections_percent", "pool_waiting", "database_mb", "clock_skew", "cpu_percent", "memory_percent",
    "disk_percent", "failed_hour", "queue_minutes", "schedule_minutes", "store_seconds", "model_days",
    "fetch_minutes",     "result_minutes", "quarantine_percent", "unread_minutes",
)  # fmt: skip
"""what has a warning and an error, of which more is worse"""


class HealthSettings(BaseSettings):
    """Every threshold, with its help."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_prefix=PREFIX, env_ignore_empty=True)

    every: float = Field(default=30.0, ge=0.2, description="Seconds between two looks; of many processes one looks.")
    patience: float = Field(default=5.0, gt=0, description="Seconds after which a check is cut off.")

    round_trip_warning: float = Field(default=0.25, gt=0, description="Seconds of a round trip to the database.")
    round_trip_error: float = Field(default=2.0, gt=0, description="The same, an error.")
    slow_query: float = Field(default=30.0, gt=0, description="Seconds after which a statement counts as slow.")
    connections_percent_warning: float = Field(
        default=80.0, gt=0, description="Share of the server's connections in use."
    )
    connections_percent_error: float = Field(default=95.0, gt=0, description="The same, an error.")
    pool_waiting_warning: int = Field(default=10, ge=1, description="Requests that wait for a connection.")
    pool_waiting_error: int = Field(default=50, ge=1, description="The same, an error.")
    database_mb_warning: float = Field(
        default=7000.0, gt=0, description="Size of the database (a free Supabase: 400)."
    )
    database_mb_error: float = Field(default=7800.0, gt=0, description="The same, an error (a free Supabase: 480).")
    clock_skew_warning: float = Field(default=5.0, gt=0, description="Seconds between this clock and the database's.")
    clock_skew_error: float = Field(default=60.0, gt=0, description="The same, an error.")

    cpu_percent_warning: float = Field(
        default=95.0, gt=0, description="Processor in use, on average since the last look."
    )
    cpu_percent_error: float = Field(default=101.0, gt=0, description="The same, an error (above 100: never).")
    memory_percent_warning: float = Field(
        default=88.0, gt=0, description="Memory in use, of the container's limit if any."
    )
    memory_percent_error: float = Field(default=96.0, gt=0, description="The same, an error.")
    disk_percent_warning: float = Field(default=90.0, gt=0, description="Disk of TIPOFF_HOME in use.")
    disk_percent_error: float = Field(default=97.0, gt=0, description="The same, an error.")

    worker_seconds: float = Field(default=30.0, gt=5, description="Seconds of silence after which a worker is gone.")
    stuck_seconds: float = Field(default=30.0, gt=0, description="Seconds after a job's lease ran out.")
    failed_hour_warning: int = Field(default=3, ge=1, description="Jobs that failed within an hour.")
    failed_hour_error: int = Field(default=10, ge=1, description="The same, an error.")
    queue_minutes_warning: float = Field(default=5.0, gt=0, description="Minutes that the oldest job has waited.")
    queue_minutes_error: float = Field(default=30.0, gt=0, description="The same, an error.")
    schedule_minutes_warning: float = Field(default=3.0, gt=0, description="Minutes that a schedule is late.")
    schedule_minutes_error: float = Field(default=15.0, gt=0, description="The same, an error.")
    missed_ticks: int = Field(default=30, ge=1, description="Ticks of schedules that were missed within an hour.")

    champion_seconds: float = Field(
        default=300.0, ge=0, description="Seconds for which sound files are not read again."
    )
    store_seconds_warning: float = Field(
        default=1.5, gt=0, description="Seconds to write a small file and read it back."
    )
    store_seconds_error: float = Field(default=4.0, gt=0, description="The same, an error.")
    model_days_warning: float = Field(default=14.0, gt=0, description="Age of the champion.")
    model_days_error: float = Field(default=60.0, gt=0, description="The same, an error.")

    fetch_minutes_warning: float = Field(default=15.0, gt=0, description="Minutes since the league last answered.")
    fetch_minutes_error: float = Field(default=60.0, gt=0, description="The same, an error.")
    result_minutes_warning: float = Field(
        default=120.0, gt=0, description="Minutes since the newest result's match began."
    )
    result_minutes_error: float = Field(default=720.0, gt=0, description="The same, an error.")
    quarantine_percent_warning: float = Field(
        default=2.0, gt=0, description="Share of a day's rows that were refused."
    )
    quarantine_percent_error: float = Field(default=20.0, gt=0, description="The same, an error.")
    unread_minutes_warning: float = Field(default=10.0, gt=0, description="Minutes that an answer waits to be read.")
    unread_minutes_error: float = Field(default=60.0, gt=0, description="The same, an error.")

    sealed_percent_warning: float = Field(
        default=97.0, le=100, description="Share of a day's matches sealed in time."
    )
    sealed_percent_error: float = Field(default=80.0, ge=0, description="The same, an error.")
    verified_hours: float = Field(default=3.0, gt=0, description="Hours since the ledger was verified.")

    open_after: float = Field(
        default=60.0, ge=0, description="Seconds that something must last before an alert opens."
    )
    resolve_after: float = Field(
        default=300.0, ge=0, description="Seconds without it before the alert is resolved; twice that after each "
        "time that the same one was resolved within a day, up to an hour.",
    )  # fmt: skip
    remind_hours: float = Field(
        default=4.0, gt=0, description="Hours between reminders of an error; six times that of a warning."
    )
    quiet: str | None = Field(
        default=None, description="Hours in which warnings wait, like 22:00-07:00 Europe/Berlin (else UTC)."
    )

    @field_validator("quiet")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if not value:
            return None
        found = QUIET.fullmatch(value)
        if found is None:
            raise ValueError("two times and a zone, like 22:00-07:00 Europe/Berlin")
        try:
            zoneinfo.ZoneInfo(found[5] or "UTC")
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"there is no time zone {found[5]}") from error
        return value

    @model_validator(mode="after")
    def _in_order(self) -> HealthSettings:
        for name in PAIRS:
            if getattr(self, f"{name}_warning") > getattr(self, f"{name}_error"):
                raise ValueError(f"TIPOFF_HEALTH_{name.upper()}_WARNING is above the one with _ERROR")
        if self.sealed_percent_warning < self.sealed_percent_error:
            raise ValueError("TIPOFF_HEALTH_SEALED_PERCENT_WARNING is below the one with _ERROR")
        return self

    def pair(self, name: str) -> tuple[float, float]:
        """(warning, error) of a threshold."""
        return float(getattr(self, f"{name}_warning")), float(getattr(self, f"{name}_error"))

    def quiet_until(self, moment: dt.datetime) -> dt.datetime | None:
        """When the quiet hours end in which `moment` lies; None outside of them."""
        found = QUIET.fullmatch(self.quiet) if self.quiet else None
        if found is None:
            return None
        local = moment.astimezone(zoneinfo.ZoneInfo(found[5] or "UTC"))
        begin, end = dt.time(int(found[1]), int(found[2])), dt.time(int(found[3]), int(found[4]))
        time = local.time()
        inside = begin <= time < end if begin <= end else time >= begin or time < end
        if not inside:
            return None
        day = local.date() + dt.timedelta(days=1 if time >= end else 0)
        return dt.datetime.combine(day, end, local.tzinfo).astimezone(dt.UTC)


def read_health_settings() -> HealthSettings:
    """From the environment and `.env`; raises SettingsError that names the wrong ones."""
    try:
        return HealthSettings()
    except ValidationError as error:
        raise SettingsError(list(unreadable(error, PREFIX).values())) from error
