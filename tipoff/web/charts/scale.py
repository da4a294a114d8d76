"""Axes: from values to places, with ticks at round values; nothing is ever placed beyond an axis's ends."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from tipoff.web.charts.figures import number, percent, raw, stamp, usable

T = TypeVar("T")
_DAY = 86400
_STEPS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
    _DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 14 * _DAY,
)  # fmt: skip
"""seconds between two ticks of time; beyond them months are counted"""
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_TOLERANCE = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Tick:
    """A round value, what stands beside it, and the value as programs read it."""

    value: float
    label: str
    data: str


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high` lie from `start` to `end` in the picture."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """Where the value is; one outside the axis is at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def moved(self, start: float, end: float) -> Axis:
        """The same axis at another place."""
        return dataclasses.replace(self, start=start, end=end)


def values_axis(
    values: Iterable[float | None], start: float, end: float, *, count: int = 5, unit: str = "",
    show: Callable[[float, int], str] = number,
) -> Axis:  # fmt: skip
    """An axis around the values, from tick to tick; about `count` steps of 1, 2 or 5 times a power of ten."""
    known = [v for v in values if usable(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if high - low <= _TOLERANCE * max(abs(low), abs(high), _TOLERANCE):
        room = abs(low) / 10 or 1.0
        low, high = low - room, high + room
    step = _round_step((high - low) / count)
    first, last = math.floor(low / step + _TOLERANCE), math.ceil(high / step - _TOLERANCE)
    decimals = max(0, -math.floor(math.log10(step) + _TOLERANCE))
    ticks = tuple(Tick(k * step, show(k * step, decimals) + unit, raw(k * step)) for k in range(first, last + 1))
    return Axis(first * step, last * step, start, end, ticks)


def shares_axis(start: float, end: float) -> Axis:
    """0 to 100%."""
    return Axis(0.0, 1.0, start, end, tuple(Tick(k / 5, percent(k / 5), raw(k / 5)) for k in range(6)))


def times_axis(moments: Iterable[dt.datetime], start: float, end: float, *, count: int = 5) -> Axis:
    """An axis from the first moment to the last (a day around a single one), ticks at round hours or days of UTC."""
    known = [m.timestamp() for m in moments]
    if not known:
        return Axis(0.0, 1.0, start, end, ())
    low, high = min(known), max(known)
    if high - low < 1e-3:
        low, high = low - _DAY / 2, high + _DAY / 2
    ticks = tuple(_time_ticks(low, high, count))
    return Axis(low, high, start, end, ticks)


def thinned(items: Sequence[T], across: Callable[[T], float], up: Callable[[T], float], columns: int) -> list[T]:
    """Of many items at most two a column: the lowest and the highest, so that no extreme is lost."""
    columns = max(columns, 1)
    if len(items) <= 2 * columns:
        return list(items)
    left, right = min(map(across, items)), max(map(across, items))
    width = (right - left) / columns or 1.0
    kept: dict[int, tuple[int, int]] = {}
    for i, item in enumerate(items):
        column = min(int((across(item) - left) / width), columns - 1)
        low, high = kept.get(column, (i, i))
        kept[column] = (
            i if up(item) < up(items[low]) else low,
            i if up(item) > up(items[high]) else high,
        )
    return [items[i] for i in sorted({i for pair in kept.values() for i in pair})]


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places in their order, moved to be `gap` apart, between low and high if there is room."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    floor = low
    for i in order:
        moved[i] = floor = max(moved[i], floor)
        floor += gap
    ceiling = high
    for i in reversed(order):
        moved[i] = ceiling = min(moved[i], ceiling)
        ceiling -= gap
    return moved


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - _TOLERANCE))


def _time_ticks(low: float, high: float, count: int) -> Iterator[Tick]:
    step = next((s for s in _STEPS if (high - low) / s <= count), None)
    if step is None:
        yield from _month_ticks(low, high, count)
        return
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        at = dt.datetime.fromtimestamp(k * step, dt.UTC)
        date = step >= _DAY or (at.hour, at.minute, at.second) == (0, 0, 0)
        label = f"{at.day} {at:%b}" if date else f"{at:%H:%M:%S}" if step < 60 else f"{at:%H:%M}"
        yield Tick(at.timestamp(), label, stamp(at))


def _month_ticks(low: float, high: float, count: int) -> Iterator[Tick]:
    first, last = dt.datetime.fromtimestamp(low, dt.UTC), dt.datetime.fromtimestamp(high, dt.UTC)
    begin, end = 12 * first.year + first.month, 12 * last.year + last.month - 1
    step = next((s for s in _MONTHS if (end - begin) / s <= count), _MONTHS[-1])
    for k in range(-(-begin // step) * step, end + 1, step):
        at = dt.datetime(k // 12, k % 12 + 1, 1, tzinfo=dt.UTC)
        yield Tick(at.timestamp(), f"{at:%Y}" if step >= 12 else f"{at:%b} {at:%y}", stamp(at))
