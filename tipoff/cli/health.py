"""`tipoff health` and `tipoff alerts`."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass

import psycopg
import typer
from rich.markup import escape
from rich.table import Table

from tipoff.backtest.report import as_json
from tipoff.cli.context import database, read_settings
from tipoff.cli.output import out, print_json, wide
from tipoff.clock import SystemClock
from tipoff.delivery.channels import channels
from tipoff.errors import InputError
from tipoff.health.facts import Line
from tipoff.health.inspector import Inspector
from tipoff.health.report import Report, Status, read_report
from tipoff.health.settings import read_health_settings
from tipoff.health.trial import announce_trial
from tipoff.jobs.service import JobService
from tipoff.pipeline.wiring import artifacts
from tipoff.storage import alerts as stored
from tipoff.storage import reports, schedules
from tipoff.storage.database import address

COLORS = {Status.HEALTHY: "green", Status.WARNING: "yellow", Status.ERROR: "red"}
Json = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")
app = typer.Typer(no_args_is_help=True, help="Alerts: list, acknowledge, try the receivers out.")


def health(json: bool = Json) -> None:
    """Look at everything now. Exit code 0: healthy, 1: warnings, 2: errors."""
    report = _look()
    if json:
        print_json(report.as_json())
    else:
        _show(report)
    raise typer.Exit(report.status.rank)


def _look() -> Report:
    settings, limits = read_settings(), read_health_settings()
    line = Line(lambda: address(settings), limits.patience)
    inspector = Inspector(settings, limits, SystemClock(), line, lambda: artifacts(settings))
    before = None
    report = inspector.look()
    with contextlib.suppress(psycopg.Error, InputError, KeyError, ValueError), line.use() as connection:
        newest = reports.newest(connection)
        before = read_report(newest) if newest else None
    return report.since(before)


def _show(report: Report) -> None:
    table = Table(title=f"{report.status.value} at {report.checked_at:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    for name in ("check", "status", "since (UTC)", "what"):
        table.add_column(name, no_wrap=name != "what")
    for name, check in report.checks.items():
        said = [f.message for f in check.findings] or [check.good]
        color = COLORS[check.status]
        table.add_row(
            name, f"[{color}]{check.status.value}[/{color}]", f"{check.since:%m-%d %H:%M:%S}", escape("\n".join(said))
        )
    wide(table)
    for finding in report.findings:
        out.print(f"{finding.rule}: {finding.remedy}", highlight=False, markup=False)


@app.command(name="list")
def list_alerts(
    resolved: bool = typer.Option(False, help="Also those that are resolved."),
    limit: int = typer.Option(50, min=1, max=1000, help="At most that many, newest first."),
    json: bool = Json,
) -> None:
    """What is wrong, and since when."""
    states = ("open", "acknowledged", "resolved") if resolved else ("open", "acknowledged")
    with database(read_settings()) as pool, pool.connection() as connection:
        found = stored.page(connection, limit, None, states)
    if json:
        print_json([as_json(dataclasses.asdict(alert)) for alert in found])
        return
    if not found:
        out.print("no alerts", highlight=False)
        return
    table = Table(title="Alerts", title_justify="left")
    for name in ("id", "rule", "severity", "state", "since (UTC)", "what"):
        table.add_column(name, no_wrap=name != "what")
    for alert in found:
        name = f"{alert.rule} ({alert.subject})" if alert.subject else alert.rule
        table.add_row(
            str(alert.id), escape(name), alert.severity, alert.state, f"{alert.since:%Y-%m-%d %H:%M:%S}",
            escape(alert.message),
        )  # fmt: skip
    wide(table)


@app.command()
def ack(alert: int = typer.Argument(min=1, help="Id of the alert."), json: bool = Json) -> None:
    """Take care of an alert: no more reminders, unless it gets worse."""
    with database(read_settings()) as pool, pool.connection() as connection:
        done = stored.acknowledge(connection, alert, getpass.getuser())
        found = stored.find(connection, alert)
    if done is None:
        raise InputError(
            f"alert {alert} is {found.state}" if found else f"there is no alert {alert}: tipoff alerts list"
        )
    if json:
        print_json(as_json(dataclasses.asdict(done)))
    else:
        out.print(f"alert {done.id} ({done.rule}) is acknowledged", highlight=False)


@app.command(name="test")
def trial(json: bool = Json) -> None:
    """Send a message of trial to every webhook and channel; a worker delivers it within a minute."""
    settings = read_settings()
    names = [channel.name for channel in channels(settings.alert_urls)]
    with database(settings) as pool, pool.connection() as connection:
        sent = announce_trial(connection, names, schedules.now(connection))
        if sent:
            job = JobService().deliver(connection)
    if not sent:
        raise InputError("nobody receives alerts: set TIPOFF_ALERT_URLS, or add one with tipoff webhooks add")
    if json:
        print_json({"messages": sent, "job_id": str(job.id)})
    else:
        out.print(f"{sent} messages wait; job {job.id} delivers them (tipoff webhooks deliveries)", highlight=False)
