"""Keys that count while the database is away."""

from __future__ import annotations

from tipoff.api.metrics.trust import MOST, TRUSTED, GoodKeys


def test_the_last_time_counts() -> None:
    """A scraper of every 15 s that is refused in an outage, because it came first more than an hour ago."""
    keys, moment = GoodKeys(), 0.0
    while moment < 2 * TRUSTED:
        moment += 15
        keys.saw("scraper", moment)
    assert keys.counts("scraper", moment + 15)
    assert keys.counts("scraper", moment + TRUSTED - 1)
    assert not keys.counts("scraper", moment + TRUSTED)


def test_what_is_older_than_the_hour_goes() -> None:
    """A key that was revoked long ago, kept for as long as the process lives."""
    keys = GoodKeys()
    keys.saw("old", 0.0)
    keys.saw("new", TRUSTED)
    assert len(keys) == 1
    assert keys.counts("new", TRUSTED)


def test_only_so_many_are_kept_and_those_seen_last() -> None:
    """A table that grows with every key; a scraper that falls out of it because it was there first."""
    keys = GoodKeys()
    keys.saw("scraper", 0.0)
    for number in range(3 * MOST):
        keys.saw(f"key {number}", float(number))
        if number % 10 == 0:
            keys.saw("scraper", float(number))
    assert len(keys) == MOST
    assert keys.counts("scraper", 3.0 * MOST)
    assert keys.counts(f"key {3 * MOST - 1}", 3.0 * MOST)
    assert not keys.counts("key 0", 3.0 * MOST)
