"""What lies outside of the database: the store of models, the league's server."""

from __future__ import annotations

import datetime as dt
import time

import httpx

from tipoff.doctor.database import clocks
from tipoff.doctor.line import PATIENCE, Level, Line, judged, skipped
from tipoff.domain.payload import RawPayload
from tipoff.ingest.parse import Parsed, parse
from tipoff.pipeline.wiring import artifacts, source_and_clock
from tipoff.settings import H2H_2025, H2H_2026, Settings

TRIAL = b'{"trial":"written, read and deleted by tipoff doctor"}'
SLOW = 1.5


def store(settings: Settings) -> Line:
    """Write a small file, read it, delete it; a bucket is made where it is missing, and must be private."""
    begun = time.perf_counter()
    with artifacts(settings) as kept:
        sha256 = kept.put("document", TRIAL)
        kept.get("document", sha256)
        kept.delete("document", sha256)
    seconds = time.perf_counter() - begun
    where = f"bucket {settings.bucket}" if settings.supabase_url and settings.supabase_key else "the data directory"
    seen = f"{where}: written, read and deleted in {1000 * seconds:.0f} ms"
    return judged("store", seen, warn=seconds > SLOW, mend="run in the region of the Supabase project")


def upstream(settings: Settings) -> Line:
    """Ask for today's matches, once, and read the answer."""
    with source_and_clock(settings, patience=0.0) as (source, clock):
        begun = time.perf_counter()
        payloads = source.fetch_day(clock.now().date())
        seconds = time.perf_counter() - begun
        name = source.name
    found = [parse(payload) for payload in payloads]
    return _read(name, payloads, found, seconds)


def _read(name: str, payloads: list[RawPayload], found: list[Parsed], seconds: float) -> Line:
    rows = sum(len(one.matches) + len(one.fixtures) for one in found)
    refused = sum(len(one.rejected) for one in found if not one.matches and not one.fixtures)
    seen = f"{name} answers in {1000 * seconds:.0f} ms: {rows} matches today"
    if refused:
        return Line(
            "upstream", Level.ERROR, f"{name} answers what cannot be read", "tipoff fetch says what it refuses"
        )
    return judged("upstream", seen, warn=not payloads or not rows, mend="look at the league's own site: a day off?")


def upstream_clock(settings: Settings) -> Line:
    """The Date that the league's server gives, beside this machine's clock."""
    usual = {"h2h-2026": H2H_2026, "h2h-2025": H2H_2025}.get(settings.source)
    url = settings.league_url or usual
    if url is None:
        return skipped("upstream clock", f"{settings.source} has no server")
    before = dt.datetime.now(dt.UTC)
    try:
        date = httpx.head(url, timeout=PATIENCE - 1).headers.get("date")
    except httpx.TransportError as error:
        return skipped("upstream clock", f"no answer: {type(error).__name__}")
    if date is None:
        return skipped("upstream clock", "the server does not give its time")
    theirs = dt.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=dt.UTC)
    whole = theirs + dt.timedelta(seconds=0.5)  # it gives whole seconds
    return clocks("upstream clock", before + (dt.datetime.now(dt.UTC) - before) / 2, whole, "the league's")
