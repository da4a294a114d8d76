"""Which keys count while the database, which knows them, is away."""

from __future__ import annotations

TRUSTED = 3600.0
"""seconds for which a key that was good goes on counting"""
MOST = 100
"""keys that are remembered at once"""


class GoodKeys:
    """Keys, by their hash, that were good lately, and when each was last; times are in seconds of a steady clock.

    >>> keys = GoodKeys()
    >>> keys.saw("scraper", 0.0)
    >>> keys.counts("scraper", 3599.0), keys.counts("scraper", 3600.0), keys.counts("other", 0.0)
    (True, False, False)
    """

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._last)

    def saw(self, key: str, now: float) -> None:
        """The key was good just now; what is older than the hour is forgotten, and what was seen longest ago."""
        self._last.pop(key, None)
        kept = [(one, last) for one, last in self._last.items() if now - last < TRUSTED]
        self._last = {**dict(kept[1 - MOST :]), key: now}

    def counts(self, key: str, now: float) -> bool:
        """Whether it was good within the hour."""
        return key in self._last and now - self._last[key] < TRUSTED
