"""One field of a row at a time: checked, or refused with a reason."""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import Any

LONGEST = 64
HIGHEST_SCORE = 500


class BadRowError(Exception):
    """A row cannot be believed: a machine-readable reason and a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def shown(value: Any) -> str:
    """The value for a message: short and ASCII."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def text(row: dict[str, Any], key: str, reason: str) -> str:
    """A name: NFC, outer spaces removed, 1 to 64 printable characters."""
    value = row.get(key)
    if not isinstance(value, str):
        raise BadRowError(reason, f"{key} is {shown(value)}, not text")
    name = unicodedata.normalize("NFC", value).strip()
    if not name or len(name) > LONGEST:
        raise BadRowError(reason, f"{key} has {len(name)} characters, not 1 to {LONGEST}")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Cf", "Co", "Cn", "Zl", "Zp") for c in name):
        raise BadRowError("bad_text", f"{key} holds characters that cannot be printed: {shown(name)}")
    return name


def optional_text(row: dict[str, Any], key: str, reason: str) -> str | None:
    """A name, or None where the league gave null or nothing."""
    return None if row.get(key) is None else text(row, key, reason)


def player(row: dict[str, Any], key: str) -> str:
    """A player's handle, upper case as on the wire."""
    return text(row, key, "bad_player").upper()


def start(row: dict[str, Any], key: str) -> dt.datetime:
    """An ISO time with an offset, in UTC."""
    value = row.get(key)
    if not isinstance(value, str) or len(value) > 40:
        raise BadRowError("bad_start", f"{key} is {shown(value)}, not a time")
    try:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise BadRowError("bad_start", f"{key} {shown(value)} has no offset from UTC")
        moment = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise BadRowError("bad_start", f"{key} is {shown(value)}, not an ISO time") from error
    if not 2000 <= moment.year <= 2100:
        raise BadRowError("bad_start", f"{key} lies in the year {moment.year}")
    return moment


def score(row: dict[str, Any], key: str) -> int | None:
    """Points as a whole number on the wire, or None."""
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRowError("bad_score", f"{key} is {shown(value)}, not a whole number")
    if not 0 <= value <= HIGHEST_SCORE:
        raise BadRowError("bad_score", f"{key} is {shown(value)}, not 0 to {HIGHEST_SCORE}")
    return value
