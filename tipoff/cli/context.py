"""What commands share: settings, the database, times."""

from __future__ import annotations

import datetime as dt

from tipoff.errors import InputError
from tipoff.settings import read_settings
from tipoff.storage.database import addresses, database, owners_database, private_postgres

__all__ = ["addresses", "database", "owners_database", "parse_time", "private_postgres", "read_settings"]


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
