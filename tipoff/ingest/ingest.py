"""Kept payloads into what is believed: marked read in the transaction that keeps it, so a crash doubles nothing."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence

from tipoff.domain.match import Fixture, Match
from tipoff.domain.payload import RawPayload
from tipoff.domain.progress import Progress, quiet
from tipoff.ingest.parse import Parsed, parse
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


BATCH_BYTES = 8_000_000
"""answers are read together until they are that big"""


def ingest_pending(pool: Pool, now: dt.datetime, progress: Progress = quiet) -> IngestReport:
    """Read every payload that was kept but not read, oldest first; a batch of them a transaction."""
    report = IngestReport()
    with pool.connection() as connection:
        waiting = payloads.pending(connection)
    done = 0
    for ids in _batches(waiting):
        progress(done / len(waiting), f"reading answers {done + 1} to {done + len(ids)} of {len(waiting)}")
        with pool.connection() as connection, connection.transaction():
            matches.lock_for_ingest(connection)
            read = [_Read(number, answer, parse(answer)) for number, answer in payloads.load(connection, ids)]
            for group in _apart(read):
                report.add(_ingest(connection, group, now))
        done += len(ids)
    return report


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    """A payload and what it says."""

    payload_id: int
    payload: RawPayload
    parsed: Parsed

    @property
    def refused(self) -> list[str]:
        """Ids of rows that could not be believed."""
        return [r.external_id for r in self.parsed.rejected if r.external_id is not None]

    def ids(self) -> set[str]:
        """Every match it speaks of."""
        told: list[Match | Fixture] = [*self.parsed.matches, *self.parsed.fixtures]
        return {one.external_id for one in told} | set(self.refused)


def _batches(waiting: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Ids in order, cut where their answers get too big together."""
    batch: list[int] = []
    size = 0
    for payload_id, length in waiting:
        if batch and size + length > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(payload_id)
        size += length
    if batch:
        yield batch


def _apart(read: Sequence[_Read]) -> Iterator[list[_Read]]:
    """Runs of payloads that can be taken in together as if one after the other: none speaks of another's."""
    group: list[_Read] = []
    ids: set[str] = set()
    days: set[dt.date] = set()
    for one in read:
        mine = one.ids()
        if group and (one.payload.day in days or ids & mine):
            yield group
            group, ids, days = [], set(), set()
        group.append(one)
        ids |= mine
        days.add(one.payload.day)
    if group:
        yield group


def _ingest(connection: Connection, group: Sequence[_Read], now: dt.datetime) -> IngestReport:
    """Take in a group in the caller's transaction and mark it read."""
    everyone: list[Match | Fixture] = [one for g in group for one in (*g.parsed.matches, *g.parsed.fixtures)]
    older = {g.payload_id for g in group if g.payload.older}
    counts: dict[int, tuple[int, int]] = {}
    if everyone:
        matches.name_players(connection, everyone)
        counts = matches.record(
            connection, [(g.payload_id, g.payload.fetched_at, g.parsed.matches) for g in group], older
        )
        fixtures.see(connection, [(g.payload.fetched_at, g.parsed.fixtures) for g in group])
    fixtures.mark_played(connection)
    views = [
        fixtures.View(
            g.payload.day, g.payload.fetched_at, max((f.start for f in g.parsed.fixtures), default=None),
            max((m.start for m in g.parsed.matches), default=None),
        )
        for g in group if g.parsed.whole and not g.payload.older
    ]  # fmt: skip
    refused = [name for g in group for name in g.refused]
    withdrawn = fixtures.withdraw(connection, views, refused) if views else 0
    quarantine.keep(connection, [(g.payload_id, g.payload.fetched_at, g.parsed.rejected) for g in group])
    payloads.mark_ingested(connection, [g.payload_id for g in group], now)
    return IngestReport(
        payloads=len(group), matches=sum(len(g.parsed.matches) for g in group),
        fixtures=sum(len(g.parsed.fixtures) for g in group), new=sum(new for new, _ in counts.values()),
        changed=sum(changed for _, changed in counts.values()), withdrawn=withdrawn,
        quarantined=collections.Counter(r.reason for g in group for r in g.parsed.rejected),
    )  # fmt: skip
