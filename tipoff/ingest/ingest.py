"""Kept payloads into what is believed: one transaction a payload, so a crash loses and doubles nothing."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
from collections.abc import Callable

from tipoff.domain.match import Fixture, Match
from tipoff.domain.payload import RawPayload
from tipoff.ingest.parse import parse
from tipoff.storage import fixtures, matches, payloads, quarantine
from tipoff.storage.pool import Connection, Pool


@dataclasses.dataclass(slots=True)
class IngestReport:
    """What payloads brought; `quarantined` counts rejected rows by reason."""

    payloads: int = 0
    matches: int = 0
    fixtures: int = 0
    new: int = 0
    changed: int = 0
    withdrawn: int = 0
    quarantined: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def add(self, other: IngestReport) -> None:
        """Count what another report counted."""
        for name in ("payloads", "matches", "fixtures", "new", "changed", "withdrawn"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.quarantined.update(other.quarantined)


Progress = Callable[[float, str], None]


def ingest_pending(pool: Pool, now: dt.datetime, progress: Progress = lambda _share, _message: None) -> IngestReport:
    """Read every payload that was kept but not read, oldest first."""
    report = IngestReport()
    with pool.connection() as connection:
        waiting = payloads.pending(connection)
    for i, payload_id in enumerate(waiting):
        progress(i / len(waiting), f"reading answer {i + 1} of {len(waiting)}")
        with pool.connection() as connection, connection.transaction():
            matches.lock_for_ingest(connection)
            payload = payloads.load(connection, payload_id)
            if payload is not None:
                report.add(ingest_payload(connection, payload_id, payload, now))
    return report


def ingest_payload(connection: Connection, payload_id: int, payload: RawPayload, now: dt.datetime) -> IngestReport:
    """Read one payload in the caller's transaction and mark it read."""
    parsed = parse(payload)
    everyone: list[Match | Fixture] = [*parsed.matches, *parsed.fixtures]
    new = changed = 0
    if everyone:
        matches.name_players(connection, everyone)
        new, changed = matches.record(connection, payload_id, payload.fetched_at, parsed.matches)
        fixtures.see(connection, payload.fetched_at, parsed.fixtures)
    ended_until = max((m.start for m in parsed.matches), default=None)
    refused = [r.external_id for r in parsed.rejected if r.external_id is not None]
    fixtures.mark_played(connection)
    withdrawn = 0
    if parsed.whole:
        withdrawn = fixtures.withdraw(
            connection, payload.day, payload.fetched_at, parsed.fixtures, refused, ended_until
        )
    quarantine.keep(connection, payload_id, payload.fetched_at, parsed.rejected)
    payloads.mark_ingested(connection, payload_id, now)
    return IngestReport(
        payloads=1, matches=len(parsed.matches), fixtures=len(parsed.fixtures), new=new, changed=changed,
        withdrawn=withdrawn, quarantined=collections.Counter(r.reason for r in parsed.rejected),
    )  # fmt: skip
