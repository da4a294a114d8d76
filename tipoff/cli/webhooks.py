"""`tipoff webhooks`: who is told of alerts over HTTP, and what was delivered."""

from __future__ import annotations

import dataclasses
from typing import Any

import typer
from rich.table import Table

from tipoff.cli.context import database, read_settings
from tipoff.cli.keys import Json
from tipoff.cli.output import err, out, print_json, wide
from tipoff.delivery.announce import tell_webhook
from tipoff.delivery.notice import Notice
from tipoff.delivery.registration import register, shown_address
from tipoff.delivery.webhook import deliver
from tipoff.errors import InputError
from tipoff.storage import deliveries as log
from tipoff.storage import outbox, overview, webhooks
from tipoff.storage.outbox import Message, Tried
from tipoff.storage.pool import Connection
from tipoff.storage.webhooks import Webhook

app = typer.Typer(no_args_is_help=True, help="Webhooks: add, list, remove, test; what was delivered.")
Name = typer.Argument(help="Its name, as in tipoff webhooks list.")


@app.command()
def add(
    name: str = typer.Option(help="What it is called."),
    url: str = typer.Option(help="Where it is posted to: https://name/path."),
    secret: str | None = typer.Option(None, help="What signs; left out: one is made and shown this once."),
    json: bool = Json,
) -> None:
    """Tell a receiver of alerts from now on, signed (docs/webhooks.md)."""
    settings = read_settings()
    with database(settings) as pool, pool.connection() as connection:
        hook = register(connection, name, url, secret, allow_private=settings.webhooks_private)
    if json:
        print_json({**shown(hook), "secret": hook.secret})
        return
    if secret is None:
        out.print(hook.secret, highlight=False, markup=False)
    err.print(
        f"webhook {name} to {shown_address(hook)}; its secret is not shown again", highlight=False, markup=False
    )


@app.command(name="list")
def list_webhooks(json: bool = Json) -> None:
    """Receivers by name, without their secrets."""
    with database(read_settings()) as pool, pool.connection() as connection:
        found = [shown(hook) for hook in webhooks.listed(connection)]
    if json:
        print_json(found)
        return
    table = Table(title="Webhooks", title_justify="left")
    for column in ("name", "address", "enabled", "created"):
        table.add_column(column, overflow="fold")
    for hook in found:
        table.add_row(hook["name"], hook["address"], "yes" if hook["enabled"] else "no", hook["created_at"][:16])
    wide(table)


@app.command()
def remove(name: str = Name) -> None:
    """Tell it nothing more; what waits for it is given up."""
    with database(read_settings()) as pool, pool.connection() as connection:
        webhooks.remove(connection, known(connection, name).id)
    out.print(f"webhook {name} is removed", highlight=False, markup=False)


@app.command(name="test")
def send_test(name: str = Name, json: bool = Json) -> None:
    """Send it one test message now, from here, and say what came of it; exit code 1 where it did not arrive."""
    settings = read_settings()
    with database(settings) as pool:
        with pool.connection() as connection:
            hook = known(connection, name)
            message = tried_message(connection, hook)
        tried = deliver(hook, message, allow_private=settings.webhooks_private)
        with pool.connection() as connection:
            outbox.note(connection, message, dataclasses.replace(tried, final=True))
    if json:
        print_json(said(message, tried))
    else:
        what = f"not delivered: {tried.error}" if tried.error else f"delivered, HTTP {tried.status}"
        out.print(f"{what} ({tried.milliseconds:.0f} ms)", highlight=False, markup=False)
    if tried.error:
        raise typer.Exit(1)


@app.command()
def deliveries(limit: int = typer.Option(50, min=1, max=1000, help="How many."), json: bool = Json) -> None:
    """Each try to deliver a message, newest first, through webhooks and through Apprise."""
    with database(read_settings()) as pool, pool.connection() as connection:
        found = log.listed(connection, limit)
    if json:
        print_json([{**dataclasses.asdict(one), "at": one.at.isoformat()} for one in found])
        return
    table = Table(title="Deliveries", title_justify="left")
    for column in ("at", "channel", "message", "event", "rule", "try", "answer", "ms", "message is"):
        table.add_column(column, overflow="fold")
    for d in found:
        answer = d.error or f"HTTP {d.status}" if d.status else d.error or "ok"
        table.add_row(
            f"{d.at:%Y-%m-%d %H:%M:%S}", d.channel, str(d.message_id), d.event, d.rule, str(d.attempt), answer,
            f"{d.duration_ms:.0f}", d.state.replace("_", " "),
        )  # fmt: skip
    wide(table)


def known(connection: Connection, name: str) -> Webhook:
    """The webhook of that name; raises InputError where there is none."""
    hook = webhooks.named(connection, name)
    if hook is None:
        raise InputError(f"there is no webhook {name!r}: see tipoff webhooks list")
    return hook


def tried_message(connection: Connection, hook: Webhook) -> Message:
    """A test message for that webhook alone, taken at once."""
    now = overview.now(connection)
    notice = Notice(
        None, "test", "", "warning", "test", "This is a test: messages from Tipoff arrive here.", "", now, now
    )
    return outbox.take_one(connection, tell_webhook(connection, hook, notice))


def said(message: Message, tried: Tried) -> dict[str, Any]:
    """What came of a test as JSON values."""
    return {
        "message_id": message.id, "delivered": not tried.error, "status": tried.status, "error": tried.error,
        "milliseconds": round(tried.milliseconds, 1),
    }  # fmt: skip


def shown(hook: Webhook) -> dict[str, Any]:
    """A webhook as JSON values, without what may be secret."""
    return {
        "id": str(hook.id), "name": hook.name, "address": shown_address(hook), "enabled": hook.enabled,
        "created_at": hook.created_at.isoformat(),
    }  # fmt: skip
