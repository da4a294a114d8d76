"""What commands share: settings, the database, times."""

from __future__ import annotations

import datetime as dt

from tipoff.errors import InputError
from tipoff.refusals.given import Role
from tipoff.settings import Settings
from tipoff.starting import checked_settings
from tipoff.storage.database import addresses, database, owners_database, private_postgres

__all__ = [
    "Role",
    "addresses",
    "database",
    "owners_database",
    "parse_day",
    "parse_time",
    "private_postgres",
    "read_settings",
]


def read_settings(role: Role = Role.COMMAND) -> Settings:
    """The settings, checked for what is to start."""
    return checked_settings(role)


def parse_time(text: str | None) -> dt.datetime | None:
    """An ISO time with an offset, from the command line."""
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a time like 2026-08-05T12:00:00Z") from error
    if moment.tzinfo is None:
        raise InputError(f"{text!r} has no offset from UTC; add Z or +02:00")
    return moment.astimezone(dt.UTC)


def parse_day(text: str, option: str) -> dt.date:
    """An ISO date, from that option of the command line."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} {text!r} is not a date like 2026-07-05") from error
