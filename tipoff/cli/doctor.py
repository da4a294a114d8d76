"""`tipoff doctor`: what is wrong with this deployment, and what to do."""

from __future__ import annotations

import dataclasses

import typer

from tipoff import logs
from tipoff.cli.output import out, print_json
from tipoff.doctor.examination import examine, is_sound
from tipoff.doctor.line import Level, Line
from tipoff.reading import environment, read_what_can_be

COLORS = {Level.OK: "green", Level.WARN: "yellow", Level.ERROR: "red", Level.SKIPPED: "dim"}


def doctor(json: bool = typer.Option(False, "--json", help="One JSON value on stdout and nothing else.")) -> None:
    """Look at this deployment from here: settings, database, store, league. Exit code 1: something is an error."""
    settings, unread = read_what_can_be()
    logs.configure(settings.secrets(), "text")
    lines = []
    for line in examine(settings, unread, environment()):
        lines.append(line)
        if not json:
            _show(line)
    if json:
        print_json({"sound": is_sound(lines), "lines": [dataclasses.asdict(line) for line in lines]})
    raise typer.Exit(0 if is_sound(lines) else 1)


def _show(line: Line) -> None:
    out.print(f"[{COLORS[line.level]}]{line.level.value:<7}[/]", end=" ", highlight=False)
    out.print(f"{line.name:<15} {line.seen}", highlight=False, markup=False)
    if line.mend:
        out.print(f"{'':<24}-> {line.mend}", highlight=False, markup=False)
