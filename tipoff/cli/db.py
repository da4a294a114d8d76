"""`tipoff db`: the database."""

from __future__ import annotations

import typer

from tipoff.cli.context import database, private_postgres, read_settings
from tipoff.cli.output import out, print_json
from tipoff.errors import InputError
from tipoff.settings import Settings
from tipoff.storage.migrations import migrate as apply
from tipoff.storage.migrations import pending
from tipoff.storage.pool import open_pool
from tipoff.storage.stats import counts

app = typer.Typer(no_args_is_help=True, help="The database: a private Postgres, or the one DATABASE_URL names.")


def _dsn(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return private_postgres(settings).start()


def _private_only(settings: Settings, command: str) -> None:
    if settings.database_url is not None:
        raise InputError(f"tipoff db {command} is for the private Postgres; DATABASE_URL names another database")


@app.command()
def up() -> None:
    """Start the private Postgres (or reuse it) and bring it to the schema."""
    settings = read_settings()
    with database(settings):
        out.print("database is up", highlight=False)


@app.command()
def down() -> None:
    """Stop the private Postgres."""
    settings = read_settings()
    _private_only(settings, "down")
    out.print("stopped" if private_postgres(settings).stop() else "was not running", highlight=False)


@app.command()
def status(json: bool = typer.Option(False, "--json", help="One JSON value on stdout.")) -> None:
    """Whether it runs, which migrations are missing, how many rows it has."""
    settings = read_settings()
    answer: dict[str, object] = {"private": settings.database_url is None, "running": True}
    if settings.database_url is None and not private_postgres(settings).running():
        answer["running"] = False
    else:
        pool = open_pool(_dsn(settings))
        try:
            answer["pending_migrations"] = pending(pool)
            if not answer["pending_migrations"]:
                with pool.connection() as connection:
                    answer["rows"] = counts(connection)
        finally:
            pool.close()
    if json:
        print_json(answer)
    else:
        for key, value in answer.items():
            out.print(f"{key}: {value}", highlight=False)


@app.command()
def migrate() -> None:
    """Apply the migrations that are missing."""
    pool = open_pool(_dsn(read_settings()))
    try:
        applied = apply(pool)
    finally:
        pool.close()
    out.print(f"applied {', '.join(applied)}" if applied else "up to date", highlight=False)


@app.command()
def reset(yes: bool = typer.Option(False, "--yes", help="Do not ask.")) -> None:
    """Delete the private Postgres and everything in it."""
    settings = read_settings()
    _private_only(settings, "reset")
    postgres = private_postgres(settings)
    if not yes:
        typer.confirm(f"Delete everything in {postgres.data}?", abort=True)
    postgres.reset()
    out.print("deleted", highlight=False)
