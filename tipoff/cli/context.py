"""What commands share: settings and the database."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator

from pydantic import ValidationError

from tipoff.errors import InputError
from tipoff.settings import Settings
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import Pool, open_pool


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


def addresses(settings: Settings) -> tuple[str, str]:
    """(application's, owner's) address of the database, started where it is a private one.

    The application's role is another one than the owner where the deployment has it, so that it cannot switch the
    ledger's guard off. The private Postgres always has it.
    """
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        return dsn, settings.owner_database_url.get_secret_value() if settings.owner_database_url else dsn
    postgres = private_postgres(settings)
    owner = postgres.start()
    return postgres.application_dsn, owner


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Pool]:
    """A pool on the database, started and brought to the schema (as its owner) where needed."""
    dsn, owner = addresses(settings)
    with contextlib.closing(open_pool(owner)) as owners:
        migrate(owners)
        if owner == dsn:
            yield owners
            return
    with contextlib.closing(open_pool(dsn)) as pool:
        yield pool


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
