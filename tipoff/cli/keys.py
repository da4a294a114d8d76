"""`tipoff keys`: who may use the API for what."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from typing import Any

import typer
from rich.table import Table

from tipoff.api.access import Scope, new_key
from tipoff.cli.context import database, read_settings
from tipoff.cli.output import err, out, print_json, wide
from tipoff.errors import InputError
from tipoff.storage import keys, overview
from tipoff.storage.keys import StoredKey
from tipoff.storage.pool import Connection

Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")
MOST = 1000
app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")


def made(connection: Connection, name: str, scope: Scope, days: float | None) -> tuple[str, StoredKey]:
    """A new key, and what is stored of it."""
    key, sha256, hint = new_key()
    expires = overview.now(connection) + dt.timedelta(days=days) if days else None
    return key, keys.add(connection, name, scope.value, sha256, hint, expires)


@app.command()
def create(
    scope: Scope = typer.Option(help="read; operate (also jobs); admin (also keys)."),
    name: str = typer.Option(help="Whose it is."),
    days: float | None = typer.Option(None, min=0.0001, max=3650, help="After how many days it expires."),
    json: bool = Json,
) -> None:
    """Make a key. It is shown this once: only its SHA-256 is stored."""
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise InputError("--name is from 1 to 200 printable characters")
    with database(read_settings()) as pool, pool.connection() as connection:
        key, stored = made(connection, name, scope, days)
    if json:
        print_json({"key": key, **shown(stored)})
    else:
        out.print(key, highlight=False, markup=False)
        err.print(
            f"key {stored.id} ({stored.scope}) for {name}; it is not shown again", highlight=False, markup=False
        )


@app.command(name="list")
def list_keys(json: bool = Json) -> None:
    """Keys, newest first, also those that are revoked."""
    with database(read_settings()) as pool, pool.connection() as connection:
        found = keys.listed(connection, MOST)
    if json:
        print_json([shown(key) for key in found])
        return
    table = Table(title="API keys", title_justify="left")
    for column in ("id", "name", "scope", "begins", "created", "expires", "last used", "revoked"):
        table.add_column(column, no_wrap=column != "name", overflow="fold")
    for k in found:
        moments = (k.created_at, k.expires_at, k.last_used_at, k.revoked_at)
        table.add_row(str(k.id), k.name, k.scope, k.hint, *(f"{m:%Y-%m-%d %H:%M}" if m else "-" for m in moments))
    wide(table)


@app.command()
def revoke(key_id: str = typer.Argument(help="The key's id, as in tipoff keys list.")) -> None:
    """Refuse a key from now on; every process knows within a second."""
    try:
        wanted = uuid.UUID(key_id)
    except ValueError as error:
        raise InputError(f"{key_id!r} is not the id of a key: see tipoff keys list") from error
    with database(read_settings()) as pool, pool.connection() as connection:
        revoked = keys.revoke(connection, wanted)
    if revoked is None:
        raise InputError(f"there is no key {wanted}: see tipoff keys list")
    out.print(f"key {wanted} of {revoked.name} is revoked", highlight=False, markup=False)


def shown(key: StoredKey) -> dict[str, Any]:
    """A key as JSON values."""
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else str(value) if value is not None else None
        for name, value in dataclasses.asdict(key).items()
    }
