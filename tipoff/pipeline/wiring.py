"""From settings to parts: the source with its clock, and the store of models."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path

from tipoff.clock import Clock, FixedClock, SystemClock
from tipoff.errors import InputError
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.settings import H2H_2025, H2H_2026, Settings
from tipoff.storage.artifacts import ArtifactStore, DirectoryStore, SupabaseStore
from tipoff.upstream.h2h2025 import H2H2025Source
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners
from tipoff.upstream.older import OlderResults
from tipoff.upstream.recorded import RecordedSource
from tipoff.upstream.source import MatchSource
from tipoff.upstream.token import TokenProvider


@contextlib.contextmanager
def artifacts(settings: Settings) -> Iterator[ArtifactStore]:
    """Where model files live: Supabase Storage with SUPABASE_URL and its key, else the home directory."""
    store: ArtifactStore = DirectoryStore(settings.home)
    if settings.supabase_url and settings.supabase_key:
        store = SupabaseStore(settings.supabase_url, settings.supabase_key.get_secret_value(), settings.bucket)
    with contextlib.closing(store):
        yield store


@contextlib.contextmanager
def source_and_clock(
    settings: Settings, at: dt.datetime | None = None, patience: float = math.inf
) -> Iterator[tuple[MatchSource, Clock]]:
    """The source that TIPOFF_SOURCE names, and the clock that goes with it (`at` makes it stand still).

    `patience`: seconds after which a question is not asked again.
    """
    clock: Clock = SystemClock() if at is None else FixedClock(at)
    kind, _, path = settings.source.partition(":")
    manners = Manners(spacing=settings.spacing, patience=patience)
    if kind == "recorded":
        recorded = RecordedSource(Path(path))
        yield recorded, FixedClock(recorded.end) if at is None else clock
    elif settings.source == "league":
        with _league(settings, clock) as url:
            name = settings.league_label or f"league:{settings.seed}"
            yield from _closing(H2H2026Source(url, clock, Manners(spacing=0, patience=patience), label=name), clock)
    elif settings.source == "h2h-2026":
        yield from _closing(H2H2026Source(settings.league_url or H2H_2026, clock, manners), clock)
    elif settings.source == "h2h-2025":
        tokens = TokenProvider(settings.token, settings.token_command)
        url = settings.league_url or H2H_2025
        yield from _closing(H2H2025Source(url, tokens, clock, manners), clock)
    else:
        raise InputError(f"TIPOFF_SOURCE is {settings.source!r}; it is h2h-2026, h2h-2025, league or recorded:PATH")


@contextlib.contextmanager
def older_results(settings: Settings, clock: Clock) -> Iterator[OlderResults]:
    """The source of results since 2023; raises InputError where TIPOFF_HISTORY_URL is not set."""
    if settings.history_url is None:
        raise InputError(f"older results are off: set TIPOFF_HISTORY_URL to the 2025 API ({H2H_2025}) or a mirror")
    tokens = TokenProvider(settings.token, settings.token_command)
    source = H2H2025Source(settings.history_url, tokens, clock, Manners(spacing=settings.spacing))
    with contextlib.closing(OlderResults(source)) as older:
        yield older


def _closing(source: MatchSource, clock: Clock) -> Iterator[tuple[MatchSource, Clock]]:
    try:
        yield source, clock
    finally:
        source.close()


@contextlib.contextmanager
def _league(settings: Settings, clock: Clock) -> Iterator[str]:
    """The built-in league: the one that is being served already, or one of our own."""
    if settings.league_url:
        yield settings.league_url
        return
    with league_server(LeagueApp(League(LeagueSettings(seed=settings.seed)), clock)) as url:
        yield url
