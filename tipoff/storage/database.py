"""From settings to a database: given, or a private one; started and brought to the schema where needed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tipoff.errors import SettingsError
from tipoff.refusals.given import placeholders
from tipoff.settings import Settings
from tipoff.storage.embedded import PrivatePostgres
from tipoff.storage.migrations import migrate
from tipoff.storage.pool import Pool, open_pool


def private_postgres(settings: Settings) -> PrivatePostgres:
    """The private Postgres of this home; refused where its disk would vanish. Raises SettingsError."""
    if settings.render or settings.supabase_url:
        examples = ", ".join(placeholders(settings))
        also = f"; still with the value of the example: {examples}" if examples else ""
        raise SettingsError(
            [f"DATABASE_URL is not set: on Render or with Supabase no private Postgres is started{also}"]
        )
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


def address(settings: Settings) -> str:
    """The application's address of the database, whether or not it runs."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return private_postgres(settings).application_dsn


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


@contextlib.contextmanager
def owners_database(settings: Settings) -> Iterator[Pool]:
    """The same for the role that owns the tables, without a limit on how long a statement may take."""
    with contextlib.closing(open_pool(addresses(settings)[1], statement_timeout="0")) as pool:
        migrate(pool)
        yield pool
