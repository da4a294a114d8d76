"""`tipoff serve-league`: the built-in league's server on its own."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from pathlib import Path

import typer

from tipoff.cli.context import parse_time
from tipoff.cli.output import out
from tipoff.clock import SpeedClock, SystemClock
from tipoff.league.book import MatchBook
from tipoff.league.recorded import RecordedBook
from tipoff.league.runner import league_server
from tipoff.league.server import LeagueApp
from tipoff.league.simulator import League
from tipoff.league.truth import LeagueSettings


def serve_league(
    recorded: Path | None = typer.Option(None, help="Replay this folder of recorded days instead of simulating."),
    seed: int = typer.Option(7, help="Seed of the simulated league."),
    port: int = typer.Option(8026, min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one."),
    at: str | None = typer.Option(None, help="Where the clock begins (default: now, or the end of the recording)."),
    speed: float = typer.Option(1.0, min=0, help="How fast the clock runs; 0 freezes it."),
) -> None:
    """Serve the league's 2026 wire protocol over simulated or recorded matches; Ctrl-C stops it."""
    book: MatchBook = RecordedBook(recorded) if recorded else League(LeagueSettings(seed=seed))
    begin = parse_time(at)
    if begin is None:
        begin = book.end if isinstance(book, RecordedBook) else SystemClock().now()
    app = LeagueApp(book, SpeedClock(begin, speed))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    kind = "RECORDED" if recorded else "SIMULATED"
    with league_server(app, port) as url:
        today = begin.astimezone(dt.UTC).date()
        out.print(f"{kind} league at {url} - try {url}/schedule/nba?date={today}T00:00:00Z", highlight=False)
        stop.wait()
