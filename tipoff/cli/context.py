"""What commands share: settings, the database, the source and its clock."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tipoff.clock import Clock, FixedClock, SystemClock
from tipoff.errors import InputError
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings
from tipoff.settings import H2H_2025, H2H_2026, Settings
from tipoff.storage.artifacts import ArtifactStore, DirectoryStore, SupabaseStore
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import Pool, open_pool
from tipoff.upstream.h2h2025 import H2H2025Source
from tipoff.upstream.h2h2026 import H2H2026Source
from tipoff.upstream.http import Manners
from tipoff.upstream.recorded import RecordedSource
from tipoff.upstream.source import MatchSource
from tipoff.upstream.token import TokenProvider


def read_settings() -> Settings:
    """Settings from the environment and `.env`; raises InputError that names the wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{part['loc'][0]}: {part['msg']}" for part in error.errors())
        raise InputError(f"settings: {wrong}") from error


def private_postgres(settings: Settings) -> PrivatePostgres:
    """The private Postgres of this home; refused where its disk would vanish."""
    if settings.render or settings.supabase_url:
        raise InputError("DATABASE_URL is not set: on Render or with Supabase no private Postgres is started")
    return PrivatePostgres(settings.home, settings.postgres_user)


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Pool]:
    """A pool on the database, started and brought to the schema where needed.

    Migrations are the owner's; the application's role is another one where the deployment has it, so that it
    cannot switch the ledger's guard off. The private Postgres always has it.
    """
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        owner = settings.owner_database_url.get_secret_value() if settings.owner_database_url else dsn
    else:
        postgres = private_postgres(settings)
        owner, dsn = postgres.start(), postgres.application_dsn
    with contextlib.closing(open_pool(owner)) as owners:
        migrate(owners)
        if owner == dsn:
            yield owners
            return
    with contextlib.closing(open_pool(dsn)) as pool:
        yield pool


@contextlib.contextmanager
def artifacts(settings: Settings) -> Iterator[ArtifactStore]:
    """Where model files live: Supabase Storage with SUPABASE_URL and its key, else the home directory."""
    store: ArtifactStore = DirectoryStore(settings.home)
    if settings.supabase_url and settings.supabase_key:
        store = SupabaseStore(settings.supabase_url, settings.supabase_key.get_secret_value(), settings.bucket)
    with contextlib.closing(store):
        yield store


@contextlib.contextmanager
def source_and_clock(settings: Settings, at: dt.datetime | None = None) -> Iterator[tuple[MatchSource, Clock]]:
    """The source that TIPOFF_SOURCE names, and the clock that goes with it (`at` makes it stand still)."""
    clock: Clock = SystemClock() if at is None else FixedClock(at)
    kind, _, path = settings.source.partition(":")
    if kind == "recorded":
        recorded = RecordedSource(Path(path))
        yield recorded, FixedClock(recorded.end) if at is None else clock
    elif settings.source == "league":
        book = League(LeagueSettings(seed=settings.seed))
        with league_server(LeagueApp(book, clock)) as url:
            name = f"league:{settings.seed}"
            yield from _closing(H2H2026Source(url, clock, Manners(spacing=0), label=name), clock)
    elif settings.source == "h2h-2026":
        yield from _closing(H2H2026Source(H2H_2026, clock, Manners(spacing=settings.spacing)), clock)
    elif settings.source == "h2h-2025":
        tokens = TokenProvider(settings.token, settings.token_command)
        yield from _closing(H2H2025Source(H2H_2025, tokens, clock, Manners(spacing=settings.spacing)), clock)
    else:
        raise InputError(f"TIPOFF_SOURCE is {settings.source!r}; it is h2h-2026, h2h-2025, league or recorded:PATH")


def _closing(source: MatchSource, clock: Clock) -> Iterator[tuple[MatchSource, Clock]]:
    try:
        yield source, clock
    finally:
        source.close()


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
