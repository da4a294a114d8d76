"""The league's server over several leagues at once with short matches, so that a whole life fits into minutes."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import signal
import threading

from tipoff.clock import SystemClock
from tipoff.league.book import BookedMatch
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings

APART = dt.timedelta(hours=3, seconds=31)
"""by how much the day of one league is later than that of the one before, so that some always play"""
BRIEF = dt.timedelta(seconds=40)


class DenseBook:
    """One league's matches before `since`; from then on those of `leagues` of them, each over after 40 s."""

    def __init__(self, since: dt.datetime, leagues: int, seed: int = 7) -> None:
        self._since = since
        self._leagues = [League(LeagueSettings(seed=seed + k)) for k in range(leagues)]

    def matches(self, begin: dt.datetime, end: dt.datetime) -> list[BookedMatch]:
        """Matches that start in [begin, end), by start."""
        found = self._leagues[0].matches(begin, min(end, self._since))
        for k, league in enumerate(self._leagues):
            later = k * APART
            found += [
                _moved(match, k, later)
                for match in league.matches(max(begin, self._since) - later, max(end, self._since) - later)
            ]
        return sorted(found, key=lambda match: match.start)

    def players(self) -> list[str]:
        """Every handle, sorted."""
        return self._leagues[0].players()


def _moved(match: BookedMatch, k: int, later: dt.timedelta) -> BookedMatch:
    start = match.start + later
    return dataclasses.replace(
        match, external_id=f"D{k}{match.external_id}", start=start, ended_at=start + BRIEF, correction=None,
        stream=f"Ebasketball {k}{(match.stream or '')[-1]}", published_at=match.published_at + later,
        player_a=f"{match.player_a}{k or ''}", player_b=f"{match.player_b}{k or ''}",
        withdrawn_at=match.withdrawn_at + later if match.withdrawn_at else None,
    )  # fmt: skip


def main() -> None:
    """Serve until told to stop; the first line says where."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--since", type=dt.datetime.fromisoformat, required=True)
    parser.add_argument("--leagues", type=int, required=True)
    given = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with league_server(LeagueApp(DenseBook(given.since, given.leagues), SystemClock())) as url:
        print(url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
