"""Numbers and times as people read them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

from tipoff.web.charts.figures import ABSENT as MISSING
from tipoff.web.charts.figures import number, signed

LONGEST_DECIMAL, LONGEST_AMERICAN = 1000.0, 100_000
"""odds above these say no more than that it hardly ever comes"""

__all__ = ["MISSING", "ago", "coarse", "interval", "moment", "number", "odds", "percent", "signed", "span"]


def percent(share: float | None, digits: int = 0) -> str:
    """A share in per cent; one that is not certain never reads 0 or 100.

    >>> percent(0.6234), percent(0.6234, 1), percent(0.9999), percent(0.0001), percent(1.0)
    ('62%', '62.3%', '>99%', '<1%', '100%')
    """
    if share is None or not math.isfinite(share):
        return MISSING
    text = f"{100 * share:.{digits}f}"
    edge = f"{100 - 10.0**-digits:.{digits}f}"
    if float(text) >= 100 and share < 1:
        return f">{edge}%"
    if float(text) <= 0 < share:
        return f"<{10.0**-digits:.{digits}f}%"
    return text + "%"


def interval(low: float | None, high: float | None, show: Callable[..., str] = number, digits: int = 0) -> str:
    """Both ends of an interval.

    >>> interval(0.6, 0.64, percent), interval(None, 1.0)
    ('60% to 64%', 'no interval yet')
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "no interval yet"
    return f"{show(low, digits)} to {show(high, digits)}"


def moment(text: str | dt.datetime | None) -> dt.datetime | None:
    """A time of an answer."""
    if text is None or isinstance(text, dt.datetime):
        return text
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def span(seconds: float | None) -> str:
    """How long something takes, in one or two units.

    >>> span(0.42), span(7), span(75), span(3600 * 5 + 120), span(86400 * 3), span(None)
    ('0.4 s', '7 s', '1 min 15 s', '5 h 2 min', '3 d', '–')
    """
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        count, whole = divmod(whole, size)
        parts.append((count, name))
    first = next(i for i, (count, _) in enumerate(parts) if count or i == 3)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count) or "0 s"


def ago(then: str | dt.datetime | None, now: dt.datetime) -> str:
    """How long ago, or how far ahead.

    >>> now = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    >>> ago(now - dt.timedelta(minutes=14), now), ago(now + dt.timedelta(hours=2), now), ago(None, now)
    ('14 min ago', 'in 2 h', 'never')
    """
    at = moment(then)
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    if abs(seconds) < 45:
        return "just now" if seconds >= 0 else "in less than a minute"
    text = coarse(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def coarse(seconds: float) -> str:
    """A duration in one unit, in minutes at least.

    >>> coarse(61), coarse(3600 * 3.4), coarse(86400 * 2.2)
    ('1 min', '3 h', '2 d')
    """
    if seconds < 3570:
        return f"{max(1, round(seconds / 60))} min"
    return f"{round(seconds / 3600)} h" if seconds < 86400 * 1.5 else f"{round(seconds / 86400)} d"


def odds(value: Any) -> str:
    """Odds as the API gave them, in the viewer's format.

    >>> odds(1.6129), odds(-163), odds(150), odds("13/8"), odds(None)
    ('1.61', '−163', '+150', '13/8', '–')
    >>> odds(653833317929.19), odds(100_000_000)
    ('>1,000', '>+100,000')
    """
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return ">+100,000" if value > LONGEST_AMERICAN else signed(value, 0)
    return ">1,000" if value > LONGEST_DECIMAL else number(value, 2)
