"""Numbers, shares, spans and moments as people read them: true minus, no exponents, UTC."""

from __future__ import annotations

import datetime as dt
from typing import TypeGuard

MINUS = "\N{MINUS SIGN}"
ABSENT = "–"
"""stands in a table where a number is missing or is none"""
LARGEST = 1e12
"""no figure of ours is as large: what is cannot be meant"""


def usable(value: float | None, most: float = LARGEST) -> TypeGuard[float]:
    """Whether a number can be drawn: there, a number, and not absurdly large (NaN is not less than anything)."""
    return value is not None and abs(value) <= most


def number(value: float | None, decimals: int = 0) -> str:
    """A number in digits.

    >>> number(-1234.56, 1)
    '−1,234.6'
    """
    if not usable(value, 10 * LARGEST):
        return ABSENT
    text = f"{abs(value):,.{decimals}f}"
    return MINUS + text if value < 0 and any(c in "123456789" for c in text) else text


def signed(value: float | None, decimals: int = 1) -> str:
    """A difference: with its sign unless it rounds to nothing."""
    text = number(value, decimals)
    return "+" + text if usable(value) and value > 0 and any(c in "123456789" for c in text) else text


def percent(share: float | None, decimals: int = 0) -> str:
    """A share between 0 and 1 in percent.

    >>> percent(0.635, 1)
    '63.5%'
    """
    return number(share * 100, decimals) + "%" if usable(share) else ABSENT


def between(low: float | None, high: float | None, decimals: int = 0) -> str:
    """An interval, or nothing where an end of it is missing."""
    if not usable(low) or not usable(high):
        return ""
    return f"{number(low, decimals)} to {number(high, decimals)}"


def percents(low: float | None, high: float | None) -> str:
    """An interval of shares.

    >>> percents(0.41, 0.78)
    '41–78%'
    """
    return f"{number(low * 100)}–{percent(high)}" if usable(low) and usable(high) else ""


def raw(value: float) -> str:
    """A number for programs (`data-` attributes): six decimals at most, no exponent, hyphen as minus."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def span(seconds: float | None) -> str:
    """A stretch of time in its two largest units.

    >>> span(3725)
    '1 h 2 min'
    """
    if not usable(seconds) or seconds < 0:
        return ABSENT
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size:,} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def day(at: dt.datetime) -> str:
    """The day in UTC, as 3 Jan 2026."""
    at = at.astimezone(dt.UTC)
    return f"{at.day} {at:%b} {at:%Y}"


def moment(at: dt.datetime) -> str:
    """The minute in UTC, as 3 Jan 2026 14:05 UTC."""
    return f"{day(at)} {at.astimezone(dt.UTC):%H:%M} UTC"


def stamp(at: dt.datetime) -> str:
    """A moment for programs: ISO 8601 in UTC."""
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
